"""The networks of the published foldings, and where their figures come from."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.finn.published import Synthesized

if TYPE_CHECKING:
    from lutloom.core.graph import Graph
    from tests.qat.networks import Recipe


@dataclass(frozen=True)
class PublishedDesign:
    """A folding file, the network that it is for, the board, and what was published of it.

    ``clock_mhz`` is the clock that the build script asks for, ``note`` where the network or the
    folding is another one than FINN's.
    """

    file: str
    recipe: Callable[[], Recipe | Graph]
    board: str
    clock_mhz: float = 100
    synthesized: tuple[Synthesized, ...] = ()
    note: str = ""


def _connected(name: str) -> Recipe:
    from lutloom.qat.models import build_model
    from tests.qat.networks import Recipe

    shape = (1, 28, 28)
    return Recipe(lambda: build_model(name, shape, 10), shape)


def _of_tests(name: str) -> Recipe:
    from tests.qat.networks import BRANCHED, FULL

    return {**FULL, **BRANCHED}[name]


def _traffic_signs() -> Recipe:
    from lutloom.qat.models import build_model
    from tests.qat.networks import Recipe

    # 43 classes, and one that nothing is, for the PE of 4
    shape = (3, 32, 32)
    return Recipe(lambda: build_model("CNV_1W1A", shape, 44), shape)


def keyword_layers(classes: int = 12) -> Graph:
    """Return FINN's MLP for keywords by its shapes, with random weights and thresholds of 3 bits.

    490 integers of 8 bits, three layers of 256 neurons, ``classes`` results.
    """
    import numpy as np

    from lutloom.codegen.lower import lower
    from lutloom.core.graph import Graph, Node
    from lutloom.core.ops import Linear, Threshold
    from lutloom.core.types import Const, IntType, TensorType

    rng = np.random.default_rng(0)
    inputs = {"x": TensorType(IntType(-128, 127), (490,))}
    nodes: list[Node] = []
    last, width = "x", 490
    for number, neurons in enumerate((256, 256, 256, classes)):
        weights = Const(rng.integers(-3, 4, size=(width, neurons)))
        nodes.append(Node((f"layer{number}",), Linear(weights), (last,)))
        last, width = f"layer{number}", neurons
        if neurons != classes:
            sums = Graph(inputs, tuple(nodes), (last,)).types[last].element
            rows = np.sort(rng.integers(sums.lo, sums.hi + 1, size=(neurons, 7)), axis=1)
            steps = Threshold(
                Const(rows), Const(np.zeros(neurons, np.int64)), Const([[1]] * neurons)
            )
            nodes.append(Node((f"levels{number}",), steps, (last,)))
            last = f"levels{number}"
    return lower(Graph(inputs, tuple(nodes), (last,)))


def _bnn_pynq(network: str, lut: int, ff: int, bram18: int, dsp: int) -> Synthesized:
    """Return a report of BNN-PYNQ: Vivado 2018.2, on a Pynq-Z1, with DMA and interconnect.

    Its products are those of FINN's library; its last layer has 64 rows and a PE of 4.
    """
    source = f"BNN-PYNQ, bnn/src/network/{network}/README.md"
    return Synthesized(source, lut, ff, bram18, dsp, has_shell=True)


DESIGNS: Mapping[str, PublishedDesign] = {
    **{
        f"TFC-{bits}": PublishedDesign(
            f"bnn-pynq__tfc-{files}_folding_config.json",
            partial(_connected, f"TFC_{bits}"),
            "pynq-z1",
        )
        for bits, files in (("1W1A", "w1a1"), ("1W2A", "w1a2"), ("2W2A", "w2a2"))
    },
    "CNV-1W1A": PublishedDesign(
        "bnn-pynq__cnv-w1a1_folding_config.json",
        lambda: _of_tests("cnv-1w1a"),
        "pynq-z1",
        synthesized=(
            Synthesized(
                "FINN pull request 209 (2020-09): without the shell",
                *(21135, 31517, 2 * 98 + 9, 0),
                has_shell=False,
            ),
            _bnn_pynq("cnvW1A1", 26072, 41312, 2 * 76 + 96, 24),
        ),
    ),
    "CNV-1W2A": PublishedDesign(
        "bnn-pynq__cnv-w1a2_folding_config.json", lambda: _of_tests("cnv-1w2a"), "pynq-z1"
    ),
    "CNV-1W2A, folded as 1W1A": PublishedDesign(
        "bnn-pynq__cnv-w1a1_folding_config.json",
        lambda: _of_tests("cnv-1w2a"),
        "pynq-z1",
        synthesized=(_bnn_pynq("cnvW1A2", 40321, 56276, 2 * 90 + 83, 26),),
        note="the PE and SIMD of BNN-PYNQ's cnvW1A2",
    ),
    "CNV-2W2A": PublishedDesign(
        "bnn-pynq__cnv-w2a2_folding_config.json",
        lambda: _of_tests("cnv-2w2a"),
        "pynq-z1",
        synthesized=(_bnn_pynq("cnvW2A2", 37302, 51386, 2 * 138 + 4, 32),),
    ),
    "GTSRB": PublishedDesign("gtsrb__gtsrb_folding_config.json", _traffic_signs, "pynq-z1"),
    "KWS": PublishedDesign(
        "kws__kws_folding_config.json",
        keyword_layers,
        "pynq-z1",
        note="by its shapes: inputs of 8 bits, weights and activations of 3",
    ),
    "VGG10": PublishedDesign(
        "vgg10-radioml__ZCU104_folding_config.json", lambda: _of_tests("vgg10"), "zcu104", 250
    ),
    **{
        f"MobileNet-v1 4-bit, {board}": PublishedDesign(
            f"mobilenet-v1__{board}_folding_config.json",
            lambda: _of_tests("mobilenet-1.0"),
            board.lower(),
            clock,
            note="ours quantizes its inputs itself, FINN's does not",
        )
        for board, clock in (("U250", 333), ("ZCU102", 100), ("ZCU104", 100))
    },
    "ResNet-50 1W2A": PublishedDesign(
        "resnet50__U250_folding_config.json",
        lambda: _of_tests("resnet50-1w2a"),
        "u250",
        250,
        note="ours quantizes its inputs itself, FINN's does not",
    ),
}
"""By their names in the tables."""


def processes_of_design(name: str, folder: Path) -> Graph:
    """Return the graph of processes of the network of ``DESIGNS[name]``.

    It is kept in ``folder``, by the name of the network: models are exported and streamlined once.
    Weights are random, batch norms calibrated.
    """
    from lutloom.core.graph import Graph
    from lutloom.core.store import load_graph, save_graph

    stem = folder / f"{name.partition(',')[0].replace(' ', '-').lower()}"
    if stem.with_suffix(".graph").is_file():
        return load_graph(stem)
    recipe = DESIGNS[name].recipe()
    graph = recipe if isinstance(recipe, Graph) else _exported(recipe)
    save_graph(graph, stem)
    return graph


def _exported(recipe: Recipe) -> Graph:
    from lutloom.codegen.lower import lower
    from lutloom.input_type import raw_input
    from lutloom.qat.export import export_qonnx
    from lutloom.streamline.pipeline import streamline

    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "model.onnx"
        model = recipe.calibrated(min(recipe.images, 8))
        export_qonnx(model, path, recipe.shape, outputs=recipe.outputs)
        network = streamline(path, raw_input(recipe.input_type, recipe.input_scale, None))
    return lower(network.graph)
