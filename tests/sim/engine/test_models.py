"""The compiled engine computes what the reference does of networks that were streamlined."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("qonnx", reason="needs qonnx")

from lutloom.streamline.errors import ModelError
from lutloom.streamline.pipeline import streamline
from tests.engines import check_engine, needs_compiler
from tests.models import write
from tests.random_branches import random_branched_network
from tests.random_images import random_image_network
from tests.random_networks import Sample, random_network

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_BLOCK = 12


@needs_compiler
@pytest.mark.parametrize("functions", [False, True])
@pytest.mark.parametrize(
    "draw",
    [random_network, random_image_network, random_branched_network],
    ids=lambda d: d.__name__,
)
def test_random_networks_are_what_the_reference_says(
    draw: Callable[..., Sample], functions: bool, tmp_path: Path
) -> None:
    compared = 0
    for seed in range(_BLOCK):
        sample = draw(seed, powers_of_two=seed % 2 == 0, functions=functions)
        try:
            network = streamline(write(sample.model, tmp_path), sample.raw)
        except ModelError:
            continue
        check_engine(network.graph, network.encode_all(sample.data))
        compared += 1
    assert compared > _BLOCK // 2
