"""What a Brevitas model became, held against the model, the executor of its file and the oracle."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import torch
from torch import nn

from lutloom.qat.export import export_qonnx
from lutloom.qat.run import trace_model, values_of
from lutloom.streamline.comparison import compare_batch
from lutloom.streamline.comparison_parts import merge
from lutloom.streamline.executor import execute
from lutloom.streamline.folded_constants import fold_constants
from lutloom.streamline.source import read_source
from tests.exact import compare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from lutloom.core.network import Network

STEPS, INPUTS, FOR_ORACLE = 3, 24, 2


def trained(model: nn.Module, shape: tuple[int, ...], classes: int) -> NDArray[np.float32]:
    """Take a few steps on random data, so that whatever is learned has moved; return the data."""
    integers = np.random.default_rng(0).integers(-128, 128, (INPUTS, *shape))
    x = (integers / 128).astype(np.float32)
    labels = torch.arange(INPUTS) % classes
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    model.train()
    for _ in range(STEPS):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(torch.from_numpy(x)), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    model.eval()
    return x


def check(model: nn.Module, x: NDArray[np.float32], directory: Path) -> Network:
    """Check that streamlining ``model`` changed nothing, and return the network.

    Every number equals that of the exact interpreter. Every integer equals that of the executor and
    that of the Brevitas model, layer by layer, except where a 32-bit float of theirs is proved to
    have fallen on the wrong side of a boundary. Weights are those of the model, all of them.
    """
    path = export_qonnx(model, directory / "m.onnx", x.shape[1:])
    network, _ = compare(onnx.load(path), directory, x[:FOR_ORACLE])
    source, tensors, encoded = read_source(path), execute(path, x), network.encode(x)
    weights: dict[str, NDArray[np.float32]] = {}
    with _noted(model, weights):
        logits, traces = trace_model(model, x)
    own = {**tensors, source.outputs[0].name: logits}
    compared = []
    for name, meaning in network.meaning.items():
        module = name.rpartition(".")[0]
        if module in traces:
            own[meaning.tensor] = traces[module].reshape(tensors[meaning.tensor].shape)
            compared.append(module)
    for module in traces.keys() - set(compared):
        # what is the same for every image is not built
        assert (traces[module] == traces[module][:1]).all(), module
    constants = fold_constants(source)
    for theirs, own_floats in ((tensors, True), (own, False)):
        part = compare_batch(network, source, theirs, encoded, constants, own_floats=own_floats)
        for layer in merge([part]).layers:
            assert layer.differing == layer.explained + layer.structural, layer
            assert layer.off_grid == 0, layer
    for node in source.nodes:
        owner, behind, _ = node.name.strip("/").replace("/", ".").partition(".weight_quant.")
        if behind and node.is_quantizer:
            assert np.array_equal(tensors[node.outputs[0]], weights.pop(owner)), node.name
    assert not weights
    return network


@contextlib.contextmanager
def _noted(model: nn.Module, weights: dict[str, NDArray[np.float32]]) -> Iterator[None]:
    """Put the quantized weights of each layer into ``weights``, by its name, as it uses them."""
    hooks = []
    for name, module in model.named_modules():
        quantizer = getattr(module, "weight_quant", None)
        if quantizer is not None:

            def note(_: nn.Module, __: object, quantized: Any, name: str = name) -> None:  # noqa: ANN401
                weights[name] = values_of(quantized).numpy()

            hooks.append(quantizer.register_forward_hook(note))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
