"""A QONNX model in ONNX's own operators: the same float32 numbers, by runtimes that know no QONNX.

``Quant``: ``(round(clip(x / scale + zero, low, high)) - zero) * scale``, each a node of its own,
but for what changes no number (a zero of 0, a scale of 1). ``BipolarQuant``: ``where(x >= 0, scale,
-scale)``. ``Trunc``: rounded as a sum first, then divided by a power of two and rounded down or as
its mode says. Weights are quantized beforehand: they are constants, as qonnx computes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from lutloom.core.rounding import Rounding
from lutloom.streamline.executor import prepare
from lutloom.streamline.rounding import rounding_named
from lutloom.streamline.source import INPUTS_OF_SECOND_TRUNC, QUANTIZER_DOMAINS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Array = NDArray[Any]

_OPSET, _IR_VERSION = 17, 10
_ROUNDINGS = {Rounding.HALF_EVEN: "Round", Rounding.FLOOR: "Floor", Rounding.CEIL: "Ceil"}


@dataclass
class _Lowering:
    """The model while it is being written; ``tensors`` are all of those of one run of it."""

    tensors: Mapping[str, Array]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)

    def add(self, kind: str, x: str, *operands: Array | float) -> str:
        """Add a node on ``x`` and constants; return its result."""
        names = [x]
        for operand in operands:
            names.append(f"constant{len(self.constants)}")
            self.constants[names[-1]] = np.asarray(operand, np.float32)
        name = f"standard{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, names, [name]))
        return name

    def end(self, x: str, name: str) -> None:
        """Call ``x``, the result of the last node, ``name``."""
        assert self.nodes[-1].output[0] == x
        self.nodes[-1].output[0] = name


def lower_to_standard(path: Path, x: NDArray[np.float32], output: Path) -> None:
    """Write the QONNX model at ``path``, with ``x`` for an input of one image, to ``output``.

    Raises ``ValueError`` for a quantizer without a lowering.
    """
    executor = prepare(path, len(x))
    lowering = _Lowering(executor.run(x))
    for node in executor.nodes:
        if node.domain in QUANTIZER_DOMAINS:
            _lower(lowering, node)
        else:
            lowering.nodes.append(node)
    graph = executor.wrapper.graph
    (given,), (result,) = graph.input, graph.output
    nodes = _needed(lowering.nodes, result.name)
    constants = {**executor.constants, **lowering.constants}
    used = {name for node in nodes for name in node.input if name in constants}
    made = helper.make_graph(
        nodes,
        "standard",
        [_value(given.name, x.shape)],
        [_value(result.name, lowering.tensors[result.name].shape)],
        [numpy_helper.from_array(constants[name], name) for name in sorted(used)],
    )
    model = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
    )
    onnx.checker.check_model(model)
    onnx.save(model, output)


def _value(name: str, shape: tuple[int, ...]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape[1:]])


def _needed(nodes: list[onnx.NodeProto], output: str) -> list[onnx.NodeProto]:
    """Return the nodes that ``output`` is computed from."""
    wanted, kept = {output}, []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            kept.append(node)
    return kept[::-1]


def _lower(lowering: _Lowering, node: onnx.NodeProto) -> None:
    x, operands = node.input[0], [lowering.tensors[name] for name in node.input[1:]]
    attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
    if node.op_type == "BipolarQuant":
        sign = lowering.add("GreaterOrEqual", x, 0.0)
        (scale,) = operands
        y = lowering.add("Where", sign, scale, -scale)
    elif node.op_type == "Quant":
        scale, zero, bits = operands
        y = lowering.add("Div", x, scale)
        y = lowering.add("Add", y, zero) if zero.any() else y
        y = _rounded(lowering, y, bits, attributes)
        y = lowering.add("Sub", y, zero) if zero.any() else y
        y = lowering.add("Mul", y, scale)
    elif node.op_type == "Trunc" and len(node.input) == INPUTS_OF_SECOND_TRUNC:
        scale, zero, _, wanted, bits = operands
        power = 2.0 ** np.round(np.log2(wanted / scale))
        y = lowering.add("Div", x, scale)
        y = lowering.add("Add", y, zero) if zero.any() else y
        y = lowering.add("Div", lowering.add("Round", y), power)
        y = _rounded(lowering, y, bits, attributes)
        y = lowering.add("Sub", y, zero / power) if zero.any() else y
        y = lowering.add("Mul", y, wanted)
    else:
        raise ValueError(f"{node.name}: {node.op_type} has no lowering to standard operators")
    lowering.end(y, node.output[0])


def _rounded(lowering: _Lowering, x: str, bits: Array, attributes: Mapping[str, Any]) -> str:
    """Add the clipping to the integers of ``bits`` bits, and the rounding."""
    width, is_signed = int(bits.reshape(-1)[0]), bool(attributes.get("signed", 1))
    if is_signed and width == 1:
        raise ValueError("one signed bit has no lowering: use BipolarQuant")
    narrow = int(attributes.get("narrow", 0))
    low = -(2 ** (width - 1)) + narrow if is_signed else 0
    high = 2 ** (width - 1) - 1 if is_signed else 2**width - 1 - narrow
    mode = rounding_named(attributes["rounding_mode"].decode())
    if mode not in _ROUNDINGS:
        raise ValueError(f"the rounding mode {mode.value} has no lowering to standard operators")
    return lowering.add(_ROUNDINGS[mode], lowering.add("Clip", x, low, high))
