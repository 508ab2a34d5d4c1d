"""Images turned, stretched and slanted around their centres, to the same bytes on every device.

Places are whole 256ths of a pixel and pixels whole numbers, so that nothing depends on how a device
rounds floats. What is between four pixels is their mean by distance, and edges go on outside.
"""

from __future__ import annotations

import math

import torch

_PLACE_BITS, _FACTOR_BITS = 8, 16


def random_warp(
    images: torch.Tensor, rotate: int, zoom: int, shear: int, generator: torch.Generator
) -> torch.Tensor:
    """Return images (N, C, H, W) of whole numbers, each seen from somewhere else.

    They are turned by up to ``rotate`` degrees, rows are slanted by up to ``shear`` degrees, and
    width and height are each up to ``zoom`` percent more or less.
    """
    number, height, width = len(images), *images.shape[2:]
    drawn = 2 * torch.rand(4, number, generator=generator, dtype=torch.float64) - 1
    angle, slant = math.radians(rotate) * drawn[0], torch.tan(math.radians(shear) * drawn[1])
    tall, wide = 1 + zoom / 100 * drawn[2:]
    # From a place in the new image, with 0 in the middle, to the one that is seen there.
    rows = tall * torch.cos(angle), wide * (slant * torch.cos(angle) - torch.sin(angle))
    columns = tall * torch.sin(angle), wide * (slant * torch.sin(angle) + torch.cos(angle))
    factors = torch.stack((*rows, *columns)).mul(1 << _FACTOR_BITS).round().long()
    by_row, by_column, down, across = factors.to(images.device)[:, :, None, None]
    # Twice the distance from the middle is a whole number, for even sizes too.
    i = 2 * torch.arange(height, device=images.device)[:, None] - (height - 1)
    j = 2 * torch.arange(width, device=images.device) - (width - 1)
    shift = _FACTOR_BITS + 1 - _PLACE_BITS
    row = (by_row * i + by_column * j + ((height - 1) << _FACTOR_BITS)) >> shift
    column = (down * i + across * j + ((width - 1) << _FACTOR_BITS)) >> shift
    return _between(images, row, column)


def _between(images: torch.Tensor, row: torch.Tensor, column: torch.Tensor) -> torch.Tensor:
    """Return what is at places (N, H, W) of images (N, C, H, W), in 256ths of a pixel."""
    channels, height, width = images.shape[1:]
    one = 1 << _PLACE_BITS
    flat = images.flatten(2).int()
    found = torch.zeros_like(flat)
    for below in (0, 1):
        at_row = ((row >> _PLACE_BITS) + below).clamp(0, height - 1)
        share = row % one if below else one - row % one
        for right in (0, 1):
            at = ((column >> _PLACE_BITS) + right).clamp(0, width - 1)
            weight = share * (column % one if right else one - column % one)
            places = (at_row * width + at).flatten(1)[:, None].expand(-1, channels, -1)
            found += weight.flatten(1)[:, None].int() * flat.gather(2, places)
    half = 1 << (2 * _PLACE_BITS - 1)
    return ((found + half) >> 2 * _PLACE_BITS).view(images.shape).to(images.dtype)
