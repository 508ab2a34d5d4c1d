"""Lower a network of the size of ResNet-50, and say what each step takes.

    python benchmarks/scale.py [--bits 4] [--passes 30]

Fully connected layers stand in for convolutions: 53 of them with 26,560 channels and 25 million
weights of four bits with a scale a channel, each followed by a batch normalization with statistics
of its own and a quantizer, in residual blocks. A step that takes longer than a user would wait is a
mistake of ours; the seconds of the processor are those of this process alone, so that they mean
something on a machine with other work.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from rich.console import Console
from rich.table import Table

from lutloom.codegen.lower import lower
from lutloom.core.graph import Graph
from lutloom.core.network import Network, load_network, save_network
from lutloom.core.ops import Linear, Threshold
from lutloom.inspection import inspect
from lutloom.streamline.importer import import_model
from lutloom.streamline.pipeline import PASSES
from lutloom.streamline.source import read_source

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

_T = TypeVar("_T")
_QONNX = "qonnx.custom_op.general"
# As many layers, channels and weights as ResNet-50 has: 53, 26,560 and 25.5 million.
_INPUTS, _NARROW, _WIDE, _CLASSES = 147, 64, 1024, 1000
_NARROW_LAYERS, _WIDE_BLOCKS = 29, 12


@dataclass
class _Model:
    """The model while it is being written."""

    bits: int
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    nodes: list[NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)
    layers: int = 0

    def _constant(self, values: NDArray[np.float32] | float) -> str:
        name = f"c{len(self.constants)}"
        array = np.asarray(values, dtype=np.float32)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def _node(self, kind: str, inputs: Sequence[str], domain: str = "", **attributes: int) -> str:
        name = f"layers.{self.layers}.{kind}_{len(self.nodes)}"
        node = helper.make_node(kind, inputs, [name], name=name, domain=domain)
        node.attribute.extend(helper.make_attribute(*pair) for pair in attributes.items())
        self.nodes.append(node)
        return name

    def quant(self, x: str, scale: NDArray[np.float32] | float, bits: int, *, signed: bool) -> str:
        inputs = [x, *map(self._constant, (scale, 0.0, bits))]
        return self._node("Quant", inputs, _QONNX, signed=int(signed), narrow=0)

    def linear(self, x: str, inputs: int, outputs: int) -> str:
        """Return ``x`` times four-bit weights with a scale a channel."""
        self.layers += 1
        weights = self.rng.normal(0, 1, (inputs, outputs)).astype(np.float32)
        scales = self.rng.uniform(0.2, 0.5, (1, outputs)).astype(np.float32)
        return self._node(
            "MatMul", [x, self.quant(self._constant(weights), scales, 4, signed=True)]
        )

    def layer(self, x: str, inputs: int, outputs: int) -> str:
        """Return a layer's quantized result: product, batch normalization, ReLU, quantizer."""
        x = self.linear(x, inputs, outputs)
        rng = self.rng
        spread = np.sqrt(inputs)
        statistics = (
            rng.uniform(0.5, 1.5, outputs) * rng.choice([-1, 1, 1, 1], outputs),
            rng.normal(0, 0.5, outputs),
            rng.normal(0, spread, outputs),
            rng.uniform(0.5, 1.5, outputs) * spread**2,
        )
        x = self._node(
            "BatchNormalization",
            [x, *(self._constant(array.astype(np.float32)) for array in statistics)],
        )
        x = self._node("Relu", [x])
        return self.quant(x, 2.5 / 2**self.bits, self.bits, signed=False)

    def block(self, x: str, width: int) -> str:
        """Return two layers of ``width`` added to ``x``, quantized."""
        y = self.layer(self.layer(x, width, width), width, width)
        return self.quant(self._node("Add", [x, y]), 5 / 2**self.bits, self.bits, signed=False)


def resnet_sized_model(bits: int) -> ModelProto:
    """Return the model, its activations quantized to ``bits`` bits."""
    model = _Model(bits)
    x = model.quant("x", 1.0, 8, signed=False)
    widths = [_INPUTS, *[_NARROW] * (_NARROW_LAYERS - 2), 2 * _NARROW, 2 * _NARROW, _WIDE]
    for inputs, outputs in pairwise(widths):
        x = model.layer(x, inputs, outputs)
    # The last of these is the first wide layer.
    for _ in range(_WIDE_BLOCKS):
        x = model.block(x, _WIDE)
    x = model.linear(x, _WIDE, _CLASSES)
    graph = helper.make_graph(
        model.nodes,
        "resnet_sized",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", _INPUTS])],
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, ["N", _CLASSES])],
        model.constants,
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(_QONNX, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


class _Clock:
    """Measures steps into a table."""

    def __init__(self) -> None:
        self.table = Table("step", "processor s", "wall s", "peak MiB", box=None)

    def measure(self, what: str, step: Callable[[], _T]) -> _T:
        """Return what ``step`` returns."""
        wall, cpu = time.perf_counter(), time.process_time()
        result = step()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        self.table.add_row(what, f"{cpu:.2f}", f"{wall:.2f}", f"{peak:,.0f}")
        return result


def _write(bits: int, path: Path) -> None:
    path.write_bytes(resnet_sized_model(bits).SerializeToString())


def _run_passes(graph: Graph, count: int) -> None:
    """Run ``count`` passes, each on a graph made anew, as it is behind a pass that changed one."""
    for index in range(count):
        PASSES[index % len(PASSES)](Graph(graph.inputs, graph.nodes, graph.outputs))


def _measure(clock: _Clock, path: Path, passes: int) -> Network:
    """Measure every step from the file ``path`` on; return what it became."""
    source = clock.measure("read_source", lambda: read_source(path))
    imported = clock.measure("import_model", lambda: import_model(source))
    clock.measure(f"{passes} passes", lambda: _run_passes(imported.graph, passes))
    clock.measure("save_network", lambda: save_network(imported, path.parent))
    clock.measure("load_network", lambda: load_network(path.parent))
    clock.measure("lower", lambda: lower(imported.graph))
    return imported


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bits", type=int, default=4, help="of the activations")
    parser.add_argument("--passes", type=int, default=30)
    arguments = parser.parse_args()
    clock = _Clock()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        clock.measure("(writing the model)", lambda: _write(arguments.bits, path))
        network = _measure(clock, path, arguments.passes)
        clock.measure("inspect: all from the file on", lambda: inspect(path))
    ops = [node.op for node in network.graph.nodes]
    linears = [op for op in ops if isinstance(op, Linear)]
    tables = [op.thresholds.data for op in ops if isinstance(op, Threshold)]
    console = Console()
    console.print(clock.table)
    console.print(
        f"{len(linears)} layers, {sum(op.weights.data.size for op in linears):,} weights,"
        f" {sum(len(rows) for rows in tables):,} rows of thresholds,"
        f" {sum(rows.size for rows in tables):,} thresholds",
        soft_wrap=True,
    )


if __name__ == "__main__":
    main()
