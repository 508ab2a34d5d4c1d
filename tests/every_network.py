"""Every network that any test streamlines, in the compiled engine too: ``--every-network``."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING

import numpy as np

from lutloom.streamline import pipeline
from tests.engines import check_engine, random_values

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import TypeAlias

    from lutloom.core.network import Network
    from lutloom.streamline.importer import InputForm

    Raw: TypeAlias = InputForm | Mapping[str, InputForm] | None

_MOST_IMAGES = 70
_NUMBERS = 2**22
_WIDEST = 2**62


def compare_every_network() -> None:
    """Let ``streamline`` compare the engine's outputs with the reference's, for every graph."""
    wrapped = pipeline.streamline

    @wraps(wrapped)
    def streamline(path: Path, raw_input: Raw = None) -> Network:
        network = wrapped(path, raw_input)
        _compare(network)
        return network

    pipeline.streamline = streamline


def _compare(network: Network) -> None:
    graph = network.graph
    images = min(_MOST_IMAGES, _NUMBERS // sum(type_.size for type_ in graph.types.values()) + 1)
    rng = np.random.default_rng(0)
    if all(type_.element.count < _WIDEST for type_ in graph.inputs.values()):
        inputs = {name: random_values(rng, images, type_) for name, type_ in graph.inputs.items()}
        check_engine(graph, inputs)
