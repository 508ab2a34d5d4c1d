"""Inputs for a network that come from no data: random ones that reach what images would reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.network import Network
    from lutloom.core.ports import InputPort

# What images are scaled to, that one first of which a quantizer makes the most levels.
_RANGES = ((-1.0, 1.0), (0.0, 1.0), (-4.0, 4.0), (0.0, 255.0), (-128.0, 127.0))
# Neighbours in an image are alike: windows over mere noise would see its mean everywhere.
_PATCH = 8
_SHARE_OF_PATCHES = 0.6


def random_images(network: Network, count: int, seed: int) -> dict[str, NDArray[Any]]:
    """Return ``count`` inputs of the model ``[count, *shape]`` by their names.

    Integers if those are its input. Over two axes or more they are patches of a colour, with noise
    on them. Floats are in that of some usual ranges in which the most levels of the first quantizer
    occur.
    """
    return {
        port.name: _images(network, port, count, [seed, index] if index else seed)
        for index, port in enumerate(network.inputs)
    }


def _images(network: Network, port: InputPort, count: int, seed: int | list[int]) -> NDArray[Any]:
    import numpy as np

    shape, type_ = (count, *port.shape), network.graph.inputs[port.value]
    shares = _patches(np.random.default_rng(seed), shape)
    if port.is_raw:
        element = type_.element
        return (shares * element.count).astype(np.int64) * element.step + element.lo

    def scaled(low: float, high: float, shares: NDArray[np.float64]) -> NDArray[np.float32]:
        return (low + shares * (high - low)).astype(np.float32)

    meaning = network.meaning[port.value]
    tried = (port.encode(scaled(*ends, shares[:1]), meaning, type_) for ends in _RANGES)
    levels = [len(np.unique(integers)) for integers in tried]
    return scaled(*_RANGES[levels.index(max(levels))], shares)


def _patches(random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return numbers from 0 up to 1."""
    noise = random.uniform(size=shape)
    if len(shape) < 3:
        return noise
    small = (shape[0], *(-(-size // _PATCH) if size > _PATCH else size for size in shape[1:]))
    patches = random.uniform(size=small)
    for axis, size in enumerate(shape[1:], start=1):
        if size > _PATCH:
            patches = patches.repeat(_PATCH, axis=axis).take(range(size), axis=axis)
    return _SHARE_OF_PATCHES * patches + (1 - _SHARE_OF_PATCHES) * noise
