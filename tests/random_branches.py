"""Random networks with branches: joins, parts, gates and enlarged images among layers of all kinds.

What is in between is that of the networks on images: convolutions, pools, normalizations,
functions and quantizers, here with scales of their own or shared where branches meet.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from lutloom.streamline.window_attributes import CHANNELS_LAST_DOMAIN
from tests.random_dice import Dice
from tests.random_images import ImageNetwork

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from tests.random_networks import Sample

    Array: TypeAlias = NDArray[Any]

_MOST_CHANNELS = 8
_MOST_ELEMENTS = 160


def random_branched_network(
    seed: int, *, powers_of_two: bool, functions: bool = False, inputs: int = 8, whole: int = 128
) -> Sample:
    """Return the network of this seed, with functions before its quantizers or without.

    The data are all that there are, where those are at most ``whole``; else random ``inputs``.
    """
    dice = Dice(seed, powers_of_two=powers_of_two)
    return _BranchedNetwork(dice, functions=functions).sample(inputs, whole)


class _BranchedNetwork(ImageNetwork):
    """The network while it is being drawn."""

    def _layers(self) -> None:
        dice = self.dice
        kinds: dict[Callable[[], None], int] = {
            self._residual_block: 3,
            self._inception: 4,
            self._parts: 3,
            self._shuffle: 2,
            self._resize: 3,
            self._depth_to_space: 1,
            self._space_to_depth: 2,
            self._gate: 2,
            self._slice: 1,
            self._tile: 2,
            self._max_pool: 1,
            self._mean: 1,
            self._convolution: 1,
        }
        weighted = [kind for kind, weight in kinds.items() for _ in range(weight)]
        for _ in range(dice.integer(1, 3)):
            dice.pick(weighted)()
            if dice.chance(0.7):
                self._between(pools=dice.chance(0.3))
                self._activation(again=dice.chance(0.1))

    @property
    def channel_axis(self) -> int:
        """The model's dimension of the channels."""
        return len(self.shape) if self.is_last else 1

    def _is_small(self, *sizes: int) -> bool:
        return prod(sizes) <= _MOST_ELEMENTS

    def _set_channels(self, channels: int) -> None:
        self._reshape_to(self.image, channels)

    def _same_convolution(self, outputs: int) -> None:
        """Append a convolution that keeps the size of the image."""
        dice, rank = self.dice, len(self.image)
        size = dice.pick((1, 1, 3))
        kernel, channels = [size] * rank, self.channels
        shape = (outputs, *kernel, channels) if self.is_last else (outputs, channels, *kernel)
        weights = self._weights(*shape, channel_axis=0)
        self.x = self.writer.node(
            "Conv",
            [self.x, weights],
            domain=CHANNELS_LAST_DOMAIN if self.is_last else "",
            pads=[size // 2] * (2 * rank),
        )
        self._set_channels(outputs)

    def _branch(self, channels: int | None = None) -> str:
        """Return a tensor made of ``x`` of that many channels; ``x`` and its shape stay."""
        dice, start, shape = self.dice, self.x, self.shape
        kind = dice.pick(("conv", "conv", "conv", "pool", "levels", "itself", "affine"))
        if channels is not None and channels != self.channels:
            kind = "conv"
        match kind:
            case "conv":
                self._same_convolution(channels or dice.integer(1, 3))
            case "pool":
                rank = len(self.image)
                domain = CHANNELS_LAST_DOMAIN if self.is_last else ""
                around: dict[str, Any] = {"kernel_shape": [3] * rank, "pads": [1] * (2 * rank)}
                self.x = self.writer.node("MaxPool", [self.x], domain=domain, **around)
            case "affine":
                self._elementwise()
        if kind == "levels" or (kind != "itself" and dice.chance(0.7)):
            self._between(pools=False)
            self._activation()
        result, self.x = self.x, start
        self._last_shape, self.shape = self.shape, shape
        return result

    def _shared(self, branches: Sequence[str]) -> list[str]:
        """Return the branches behind quantizers of one scale, or as they are."""
        dice = self.dice
        if dice.chance(0.6):
            return list(branches)
        scale, bits = self._constant(dice.scale()), dice.integer(2, 4)
        return [self.writer.quant(branch, scale, 0, bits) for branch in branches]

    def _residual_block(self) -> None:
        """Add or subtract branches of one shape."""
        dice = self.dice
        channels = dice.integer(1, 4)
        branches = self._shared([self._branch(channels) for _ in range(dice.pick((2, 2, 2, 3)))])
        kind = "Sum" if len(branches) > 2 else dice.pick(("Add", "Add", "Sub"))
        self.x = self.writer.node(kind, branches)
        self._set_channels(channels)
        self._activation()

    def _inception(self) -> None:
        """Join branches along the channels, or along the image; a constant may be among them."""
        dice = self.dice
        is_spatial = dice.chance(0.2) and self._is_small(2, *self.shape)
        channels = self.channels if is_spatial else None
        branches, counts = [], []
        for _ in range(dice.pick((2, 2, 3))):
            branches.append(self._branch(channels))
            counts.append(self._last_shape[-1 if self.is_last else 0])
        branches = self._shared(branches)
        axis = self.channel_axis
        if is_spatial:
            axis = dice.integer(1, len(self.shape) - 1) + (not self.is_last)
            branches = branches[:2]
        elif dice.chance(0.15):
            branches.insert(dice.integer(0, len(branches)), self._constant_branch())
            counts.append(1)
        written = axis if dice.chance(0.7) else axis - len(self.shape) - 1
        self.x = self.writer.node("Concat", branches, axis=written)
        if is_spatial:
            self.shape = tuple(n * (1 + (a == axis)) for a, n in enumerate(self.shape, 1))
        else:
            self._set_channels(sum(counts))
        if dice.chance(0.8):
            self._between(pools=False)
            self._activation()

    def _constant_branch(self) -> str:
        """Return one constant channel."""
        dice, image = self.dice, self.image
        shape = (1, *image, 1) if self.is_last else (1, 1, *image)
        whole = np.broadcast_to(dice.number(*dice.pick([shape, (1,) * len(shape)])), shape)
        return self.writer.constant(np.ascontiguousarray(whole))

    def _parts(self) -> None:
        """Split the channels, work on some of them, and join or add all."""
        dice, writer = self.dice, self.writer
        if self.channels < 2:
            self._same_convolution(dice.pick((2, 4, 4)))
            self._activation()
        channels = self.channels
        first = (
            channels // 2
            if channels % 2 == 0 and dice.chance(0.6)
            else dice.integer(1, channels - 1)
        )
        sizes = [first, channels - first]
        names = [f"{self.x}_part{index}" for index in range(2)]
        attributes: dict[str, Any] = {"axis": self.channel_axis}
        inputs = [self.x]
        if first * 2 != channels or dice.chance(0.5) or writer.opset >= 18:
            if writer.opset < 13:
                attributes["split"] = sizes
            else:
                inputs.append(writer.constant(sizes, np.int64))
        writer.node("Split", inputs, outputs=names, **attributes)
        parts = []
        for name, size in zip(names, sizes, strict=True):
            start = self.x
            self.x = name
            self._set_channels(size)
            parts.append(self._branch(size if dice.chance(0.7) else None))
            sizes[len(parts) - 1] = self._last_shape[-1 if self.is_last else 0]
            self.x = start
        parts = self._shared(parts)
        if sizes[0] == sizes[1] and dice.chance(0.4):
            self.x = writer.node("Add", parts)
            self._set_channels(sizes[0])
        else:
            self.x = writer.node("Concat", parts[:: dice.pick((1, -1))], axis=self.channel_axis)
            self._set_channels(sum(sizes))
        self._between(pools=False)
        self._activation()

    def _shuffle(self) -> None:
        """Shuffle the channels: by reshapes and a transposition, or by their numbers."""
        dice, writer, channels = self.dice, self.writer, self.channels
        groups = dice.pick([n for n in range(1, channels + 1) if channels % n == 0])
        order = np.arange(channels).reshape(groups, -1).T.ravel()
        if self.is_last or dice.chance(0.3):
            if dice.chance(0.4):
                order = dice.rng.permutation(channels)
            indices = writer.constant(order, np.int64)
            self.x = writer.node("Gather", [self.x, indices], axis=self.channel_axis)
            return
        image = self.image
        self.x = writer.reshape(self.x, (0, groups, channels // groups, *image))
        axes = [0, 2, 1, *range(3, 3 + len(image))]
        self.x = writer.node("Transpose", [self.x], perm=axes)
        self.x = writer.reshape(self.x, (0, channels, *image))

    def _resize(self) -> None:
        """Take the nearest pixels of a finer or coarser grid."""
        dice, writer = self.dice, self.writer
        if writer.opset < 11:
            factors = [dice.pick((1, 2, 3)) for _ in self.image]
        else:
            factors = [dice.pick((1, 2, 2, 3, 1.5, 0.5)) for _ in self.image]
        image = tuple(int(n * f) for n, f in zip(self.image, factors, strict=True))
        if min(image) < 1 or not self._is_small(self.channels, *image):
            return
        scales = [1.0, *factors, 1.0] if self.is_last else [1.0, 1.0, *factors]
        modes: dict[str, Any] = {"mode": "nearest"}
        if writer.opset < 11:
            kind = "Upsample" if writer.opset < 10 else "Resize"
            self.x = writer.node(kind, [self.x, writer.constant(scales)], **modes)
        else:
            modes["coordinate_transformation_mode"] = dice.pick(
                ("asymmetric", "asymmetric", "half_pixel", "pytorch_half_pixel", "align_corners")
            )
            modes["nearest_mode"] = dice.pick(("floor", "floor", "round_prefer_floor", "ceil"))
            roi = writer.constant(np.zeros(0))
            self.x = writer.node("Resize", [self.x, roi, writer.constant(scales)], **modes)
        self._reshape_to(image, self.channels)

    def _depth_to_space(self) -> None:
        if len(self.image) != 2 or self.is_last or not self._is_small(4, *self.shape):
            return
        if self.channels % 4:
            self._same_convolution(4)
            self._activation()
        attributes: dict[str, Any] = {"blocksize": 2}
        if self.writer.opset >= 11 and self.dice.chance(0.7):
            attributes["mode"] = self.dice.pick(("DCR", "CRD"))
        self.x = self.writer.node("DepthToSpace", [self.x], **attributes)
        self._reshape_to(tuple(2 * size for size in self.image), self.channels // 4)

    def _space_to_depth(self) -> None:
        if any(size % 2 for size in self.image):
            self._depth_to_space()
        image = self.image
        if len(image) != 2 or self.is_last or any(size % 2 for size in image):
            return
        if self.channels * 4 > _MOST_CHANNELS:
            self._same_convolution(2)
            self._activation()
        self.x = self.writer.node("SpaceToDepth", [self.x], blocksize=2)
        self._reshape_to(tuple(size // 2 for size in image), self.channels * 4)

    def _gate(self) -> None:
        """Multiply by a gate for each channel, as squeeze-and-excite does."""
        dice, writer = self.dice, self.writer
        self._activation()
        levels, shape = self.x, self.shape
        if self.is_last or dice.chance(0.3):
            self._between(pools=False)  # a gate for each pixel
        else:
            self.x = writer.node("GlobalAveragePool", [self.x])
            self._reshape_to((1,) * len(self.image), self.channels)
            self._same_convolution(self.channels)
        gate = writer.node(dice.pick(("Sigmoid", "Sigmoid", "Relu")), [self.x])
        scale = np.float32(2.0 ** -dice.integer(2, 4))
        gate = writer.quant(gate, scale, 0, dice.integer(2, 4), signed=False)
        self.x = writer.node("Mul", [levels, gate] if dice.chance(0.6) else [gate, levels])
        self.shape = shape
        self._activation()

    def _slice(self) -> None:
        """Cut something off along an axis, or leave elements out."""
        dice, writer = self.dice, self.writer
        axis = dice.integer(1, len(self.shape))
        size = self.shape[axis - 1]
        start, step = dice.integer(0, size - 1), dice.pick((1, 1, 2, -1))
        end = size if step > 0 else -size - 1
        index = range(*slice(start, end, step).indices(size))
        numbers: dict[str, Any] = {
            "starts": [start],
            "ends": [end],
            "axes": [axis],
            "steps": [step],
        }
        if writer.opset < 10:
            if step != 1:
                return
            self.x = writer.node("Slice", [self.x], **numbers)
        else:
            inputs = [writer.constant(values, np.int64) for values in numbers.values()]
            self.x = writer.node("Slice", [self.x, *inputs])
        self.shape = (*self.shape[: axis - 1], len(index), *self.shape[axis:])

    def _tile(self) -> None:
        """Repeat an axis, or expand one of size 1."""
        dice, writer = self.dice, self.writer
        single = [axis for axis, size in enumerate(self.shape, 1) if size == 1]
        axis = dice.pick(single or range(1, len(self.shape) + 1))
        if not self._is_small(2, *self.shape) or 2 * self.channels > _MOST_CHANNELS:
            return
        times = [1 + (place == axis) for place in range(len(self.shape) + 1)]
        kind = "Expand" if self.shape[axis - 1] == 1 else "Tile"
        self.x = writer.node(kind, [self.x, writer.constant(times, np.int64)])
        self.shape = tuple(n * t for n, t in zip(self.shape, times[1:], strict=True))
