"""QONNX files from Brevitas models: what the rest of Lutloom reads.

Two of torch's exporters can be asked. The one that traces (``dynamo=False``) names its nodes
after the modules (``/layers/linear0/MatMul``), so that a layer can be recognized in everything
that is generated, and takes a tenth of the time; the one on ``torch.export`` (``dynamo=True``) is
Brevitas' own default.
"""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from lutloom.core.files import write_file
from lutloom.core.input_note import BYTES, note_key, write_note
from lutloom.qat.errors import TrainingError
from lutloom.qat.exporters import Dynamo, Traced, weights_kept

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

INPUT_NAME = "pixels"
OUTPUT_NAME = "logits"
_OPSET = 17
# TensorProto.EXTERNAL
_EXTERNAL = 1
# initializers smaller than this stay in the model: shapes and scales have to be at hand
_EXTERNAL_BYTES = 128


def export_qonnx(
    model: torch.nn.Module,
    path: str | Path,
    input_shape: tuple[int, ...],
    *,
    external_data: bool = False,
    dynamo: bool = False,
    outputs: tuple[str, ...] = (OUTPUT_NAME,),
    input_scale: Fraction | None = None,
) -> Path:
    """Write ``model`` to the QONNX file ``path`` and return the path.

    ``input_shape`` is (C, H, W); the batch is the symbolic dimension ``batch``; the input is named
    ``pixels``, the output ``logits``; a model that returns several needs ``outputs``, a name for
    each. Where pixels are ``input_scale`` times a byte, the file notes so, and hardware takes the
    bytes (:mod:`lutloom.core.input_note`). The file holds its weights, unless ``external_data``
    leaves them in ``path`` + ``.data`` beside it. Files appear whole or not at all. The model keeps
    its mode. Raises :class:`TrainingError` if the file can't be written.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise TrainingError(f"{path} can't be written: there is no folder {path.parent}")
    proto = (_dynamo if dynamo else _traced)(model, input_shape, outputs)
    # The shapes that exporters note between nodes are guesses at the custom operators' results.
    del proto.graph.value_info[:]
    _drop_aliases(proto.graph)
    if input_scale is not None:
        text = write_note(BYTES, input_scale)
        proto.metadata_props.add(key=note_key(INPUT_NAME), value=text)
    if external_data:
        # the data first: a model is never there without its weights
        data_path = path.with_name(path.name + ".data")
        write_file(data_path, _move_out(proto, data_path.name), sync=True)
    write_file(path, proto.SerializeToString(), sync=True)
    return path


def _traced(model: torch.nn.Module, input_shape: tuple[int, ...], outputs: tuple[str, ...]) -> Any:  # noqa: ANN401 (ModelProto)
    with _quiet(), weights_kept(model):
        return Traced.export(
            model,
            torch.zeros(1, *input_shape),
            dynamo=False,
            input_names=[INPUT_NAME],
            output_names=list(outputs),
            dynamic_axes={name: {0: "batch"} for name in (INPUT_NAME, *outputs)},
            opset_version=_OPSET,
            # Brevitas' default would make every weight an input of the graph
            keep_initializers_as_inputs=False,
        )


def _dynamo(model: torch.nn.Module, input_shape: tuple[int, ...], outputs: tuple[str, ...]) -> Any:  # noqa: ANN401 (ModelProto)
    with _quiet(), weights_kept(model):
        return Dynamo.export(
            model,
            # a batch of one would be taken for a constant
            torch.zeros(2, *input_shape),
            dynamo=True,
            input_names=[INPUT_NAME],
            output_names=list(outputs),
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )


def _drop_aliases(graph: Any) -> None:  # noqa: ANN401 (GraphProto)
    """Let readers of an Identity of a weight read the weight: the tracer merges equal ones so."""
    weights = {tensor.name for tensor in graph.initializer}
    aliases = {
        node.output[0]: node.input[0]
        for node in graph.node
        if node.op_type == "Identity" and node.input[0] in weights
    }
    kept = [node for node in graph.node if not (node.output and node.output[0] in aliases)]
    for node in kept:
        node.input[:] = [aliases.get(name, name) for name in node.input]
    del graph.node[:]
    graph.node.extend(kept)


def _move_out(proto: Any, name: str) -> bytes:  # noqa: ANN401 (ModelProto)
    """Make the weights of the model references into a file ``name``; return its content."""
    content = bytearray()
    for tensor in proto.graph.initializer:
        if len(tensor.raw_data) < _EXTERNAL_BYTES:
            continue
        place = {"location": name, "offset": len(content), "length": len(tensor.raw_data)}
        content += tensor.raw_data
        tensor.ClearField("raw_data")
        tensor.data_location = _EXTERNAL
        for key, value in place.items():
            tensor.external_data.add(key=key, value=str(value))
    return bytes(content)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporters' log of what else is not installed from the user."""
    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        yield
    finally:
        exporter.setLevel(level)
