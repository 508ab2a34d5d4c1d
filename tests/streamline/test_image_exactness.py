"""The integer graph equals the specification: random networks on images, as in test_exactness.

A share of what ``benchmarks/exactness.py --convolutions`` runs at length.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lutloom.streamline.errors import ModelError
from tests.exact import Tally, compare, compare_block
from tests.models import Writer
from tests.random_images import random_image_network

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_BLOCK = 20


def tally_of(block: int, directory: Path, *, powers_of_two: bool, functions: bool) -> Tally:
    """Compare a block of networks, large enough to say something."""
    tally = compare_block(
        range(_BLOCK * block, _BLOCK * (block + 1)),
        directory,
        most_refused=_BLOCK // 5,
        powers_of_two=powers_of_two,
        functions=functions,
        draw=random_image_network,
    )
    assert tally.numbers > 8000
    assert tally.quantized > 2000
    return tally


@pytest.mark.parametrize("block", range(4))
def test_images_with_powers_of_two_are_exact_through_many_ties(block: int, tmp_path: Path) -> None:
    tally = tally_of(block, tmp_path, powers_of_two=True, functions=False)
    assert tally.ties > 500


@pytest.mark.parametrize("block", range(4))
def test_images_with_any_scales_are_exact(block: int, tmp_path: Path) -> None:
    tally_of(block, tmp_path, powers_of_two=False, functions=False)


@pytest.mark.parametrize("powers_of_two", [True, False])
def test_images_with_functions_before_their_quantizers_are_exact(
    powers_of_two: bool, tmp_path: Path
) -> None:
    tally_of(4, tmp_path, powers_of_two=powers_of_two, functions=True)


def test_every_operator_on_images_is_among_the_networks() -> None:
    """And every attribute of them, in more than one in a hundred."""
    found: Counter[str] = Counter()
    for seed in range(300):
        model = random_image_network(seed, powers_of_two=seed % 2 == 0).model
        for node in model.graph.node:
            found[node.op_type] += 1
            found.update(f"{node.op_type}.{attribute.name}" for attribute in node.attribute)
            if node.op_type == "Trunc":
                found[f"Trunc of {len(node.input) - 1} parameters"] += 1
    wanted = """
        AveragePool AveragePool.auto_pad AveragePool.ceil_mode AveragePool.count_include_pad
        Conv Conv.auto_pad Conv.dilations Conv.group Conv.pads Conv.strides
        ConvTranspose ConvTranspose.dilations ConvTranspose.group ConvTranspose.output_padding
        ConvTranspose.output_shape ConvTranspose.pads ConvTranspose.strides
        GlobalAveragePool GlobalMaxPool Im2Col MaxPoolNHWC
        MaxPool MaxPool.auto_pad MaxPool.ceil_mode MaxPool.dilations MaxPool.pads MaxPool.strides
        Pad QuantAvgPool2d ReduceMax ReduceMean ReduceSum Trunc
    """.split()
    assert [name for name in wanted if found[name] < 4] == []
    assert found["Trunc of 4 parameters"] > 3
    assert found["Trunc of 5 parameters"] > 3


def images(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(0, 3, (20, *shape)).astype(np.float32)


def test_a_mean_of_a_whole_image_with_padding_of_another_offset_is_exact(tmp_path: Path) -> None:
    """One window, and pixels of which zero is no integer: a list of classes was cut short, once."""
    w = Writer()
    x = w.quant("x", 0.75, 0.5, bits=4)
    x = w.node("Pad", [x, w.constant([0, 0, 1, 0, 0, 1], np.int64)])
    x = w.node("GlobalAveragePool", [x])
    compare(w.model(w.quant(x, 0.5), 3, 4), tmp_path, images(3, 4))


def test_a_frame_around_means_of_other_divisors_is_refused(tmp_path: Path) -> None:
    w = Writer()
    x = w.node("AveragePool", [w.quant("x")], kernel_shape=[2], pads=[1, 0])
    x = w.node("Pad", [x, w.constant([0, 0, 1, 0, 0, 1], np.int64)])
    with pytest.raises(ModelError, match="the scale of its input varies along another dimension"):
        compare(w.model(w.quant(x, 0.5), 1, 4), tmp_path, images(1, 4))


@pytest.mark.parametrize("axes", [[1], [2], [3], [1, 2], [1, 3], [2, 3]])
def test_the_largest_along_any_axes_but_all_is_exact(axes: list[int], tmp_path: Path) -> None:
    w = Writer()
    x = w.node("ReduceMax", [w.quant("x", 0.5, bits=4)], axes=axes, keepdims=0)
    compare(w.model(w.quant(x, 0.75, bits=3), 2, 3, 4), tmp_path, images(2, 3, 4))
