"""Random networks on images, of every convolution and pool that the lowering claims to take.

One or two spatial axes, channels first or last; what is in between is that of the fully connected
networks: their inputs, quantizers, normalizations and heads.
"""

from __future__ import annotations

from math import log2, prod
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from lutloom.streamline.window_attributes import CHANNELS_LAST_DOMAIN
from tests.random_dice import Dice
from tests.random_functions import Functions
from tests.random_networks import MODES, RandomNetwork, Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]


def random_image_network(
    seed: int, *, powers_of_two: bool, functions: bool = False, inputs: int = 10, whole: int = 128
) -> Sample:
    """Return the network of this seed, with functions before its quantizers or without.

    The data are all that there are, where those are at most ``whole``; else random ``inputs``.
    """
    dice = Dice(seed, powers_of_two=powers_of_two)
    return ImageNetwork(dice, functions=functions).sample(inputs, whole)


def places_of(
    size: int, kernel: int, stride: int, dilation: int, pads: tuple[int, int], *, ceil: bool
) -> list[list[int]]:
    """Return the pixels of every window along an axis."""
    room = size + sum(pads) - dilation * (kernel - 1) - 1
    if room < 0:
        return []
    results = (-(-room // stride) if ceil else room // stride) + 1
    if ceil and (results - 1) * stride >= size + pads[0]:
        results -= 1
    return [
        [
            place
            for tap in range(kernel)
            if 0 <= (place := stride * y + dilation * tap - pads[0]) < size
        ]
        for y in range(results)
    ]


class ImageNetwork(RandomNetwork):
    """The network while it is being drawn; ``shape`` is that of the model, without the batch."""

    def __init__(self, dice: Dice, *, functions: bool) -> None:
        super().__init__(dice, functions=functions)
        rank = dice.pick((1, 2, 2))
        image = tuple(dice.integer(1, 6 if rank == 2 else 9) for _ in range(rank))
        if dice.chance(0.25):  # few enough for all inputs
            image = dice.pick([(2,), (3,), (1, 3), (2, 2), (2, 3)])
        channels = dice.pick((1, 2, 2, 3, 4))
        self.is_last = dice.chance(0.25)
        self.input_shape = (*image, channels) if self.is_last else (channels, *image)
        self.shape = self.input_shape
        if self.is_last:
            self.batch_norm_domain = CHANNELS_LAST_DOMAIN

    @property
    def is_image(self) -> bool:
        """Whether there are spatial axes still."""
        return len(self.shape) > 1

    @property
    def channels(self) -> int:
        return self.shape[-1] if self.is_last else self.shape[0]

    @property
    def raw_channels(self) -> int:
        return 1 if self.is_last else self.channels  # those of the model's axis 1

    @property
    def image(self) -> tuple[int, ...]:
        """The spatial axes."""
        if not self.is_image:
            return ()
        return self.shape[:-1] if self.is_last else self.shape[1:]

    @property
    def column(self) -> tuple[int, ...]:
        return (self.channels,) if self.is_last else super().column

    @property
    def constant_shapes(self) -> list[tuple[int, ...]]:
        return [(), self.column, (1,) * (len(self.shape) + 1 - len(self.column)) + self.column]

    @property
    def layout(self) -> str:
        if not self.is_image:
            return "NC"
        rank = len(self.image)
        return ("NHWC" if rank == 2 else "NWC") if self.is_last else ("NCHW", "NCW")[2 - rank]

    def _reshape_to(self, image: tuple[int, ...], channels: int) -> None:
        self.shape = (*image, channels) if self.is_last else (channels, *image)

    def _layers(self) -> None:
        dice = self.dice
        for _ in range(dice.integer(1, 3)):
            kind = dice.pick(("conv",) * 5 + ("pool", "pool", "mean", "mean", "join", "pad"))
            match kind:
                case "pool":
                    self._max_pool()
                case "mean":
                    self._mean()
                case "join":
                    self._join()
                case "pad":
                    self._pad()
                case _:
                    self._convolution()
                    self._between(pools=True)
                    self._activation(twice=dice.chance(0.1), again=dice.chance(0.1))

    def _between(self, *, pools: bool) -> None:
        """Compose affine operators and functions, and pool before, behind or among them."""
        dice = self.dice
        pool_first = pools and dice.chance(0.15)
        if pool_first:
            self._max_pool()
        if self.is_last:
            self._elementwise()
        else:
            self._functions()
        if pools and not pool_first and dice.chance(0.15):
            self._max_pool()
            if dice.chance(0.5):
                self._elementwise()

    def _attributes(self, kernel: tuple[int, ...], *, dilated: bool = True) -> dict[str, Any]:
        """Return strides, dilations and pads; those that are ones and zeros may be left out."""
        dice, rank = self.dice, len(kernel)
        strides = [dice.pick((1, 1, 1, 2, 3)) for _ in kernel]
        dilations = [dice.pick((1, 1, 1, 2)) if dilated else 1 for _ in kernel]
        pads = [0] * (2 * rank)
        match dice.pick(("none", "same", "any", "any")):
            case "same":
                pads = [dice.integer(0, 2)] * (2 * rank)
            case "any":
                pads = [dice.integer(0, 2) for _ in pads]
        found: dict[str, Any] = {"strides": strides, "dilations": dilations, "pads": pads}
        if dice.chance(0.15):
            found["auto_pad"] = dice.pick(("SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"))
        return found

    def _pads(self, kernel: tuple[int, ...], attributes: dict[str, Any]) -> list[tuple[int, int]]:
        """Return what the attributes put before and behind each axis."""
        rank = len(kernel)
        how = attributes.get("auto_pad", "NOTSET")
        if how == "NOTSET":
            pads = attributes["pads"]
            return list(zip(pads[:rank], pads[rank:], strict=True))
        if how == "VALID":
            return [(0, 0)] * rank
        found = []
        for axis, size in enumerate(self.image):
            stride = attributes["strides"][axis]
            extent = attributes["dilations"][axis] * (kernel[axis] - 1) + 1
            total = max((-(-size // stride) - 1) * stride + extent - size, 0)
            ends = (total // 2, total - total // 2)
            found.append(ends if how == "SAME_UPPER" else ends[::-1])
        return found

    def _windows(
        self, *, most: int = 3, ceil: bool = False, pool: bool = False, dilated: bool = True
    ) -> tuple[tuple[int, ...], dict[str, Any], tuple[list[list[int]], ...]]:
        """Return a kernel, attributes, and the pixels of each window along each axis."""
        while True:
            kernel = tuple(self.dice.integer(1, most) for _ in self.image)
            attributes = self._attributes(kernel, dilated=dilated)
            if pool and self.dice.chance(0.8):  # ONNX Runtime takes no others
                attributes["pads"] = [
                    min(pad, size - 1)
                    for pad, size in zip(attributes["pads"], kernel * 2, strict=True)
                ]
            is_ceil = ceil and attributes.get("auto_pad", "NOTSET") == "NOTSET"
            pads = self._pads(kernel, attributes)
            places = tuple(
                places_of(size, kernel[axis], stride, dilation, pads[axis], ceil=is_ceil)
                for axis, (size, stride, dilation) in enumerate(
                    zip(self.image, attributes["strides"], attributes["dilations"], strict=True)
                )
            )
            if not all(places) or prod(map(len, places)) > 80:
                continue
            if pool and not all(window for axis in places for window in axis):
                continue
            return kernel, attributes, places

    def _written(self, attributes: dict[str, Any], **more: Any) -> dict[str, Any]:  # noqa: ANN401
        """Return attributes as an exporter writes them: defaults may be left out."""
        kept = {
            name: value
            for name, value in attributes.items()
            if name == "auto_pad"
            or any(n != ("pad" not in name) for n in value)
            or self.dice.chance(0.7)
        }
        if attributes.get("auto_pad", "NOTSET") != "NOTSET":
            kept.pop("pads", None)
        return kept | more

    def _convolution(self) -> None:
        dice, writer = self.dice, self.writer
        if dice.chance(0.15):
            is_last = self.is_last
            if is_last:
                self._channels_first()
            self._transposed_convolution()
            if is_last:
                self._channels_last()
            return
        if self.is_last and len(self.image) == 2 and dice.chance(0.3):
            self._im2col()
            return
        channels = self.channels
        kernel, attributes, places = self._windows()
        divisors = [n for n in range(1, channels + 1) if channels % n == 0]
        groups = dice.pick((1, channels, dice.pick(divisors)))
        outputs = groups * dice.integer(1, 4 if groups == 1 else 2)
        if self.is_last:
            weights = self._weights(outputs, *kernel, channels // groups, channel_axis=0)
        else:
            weights = self._weights(outputs, channels // groups, *kernel, channel_axis=0)
        inputs = [self.x, weights]
        if dice.chance(0.4):
            inputs.append(self._bias(outputs, has_row=False))
        written = self._written(attributes, **({"group": groups} if groups > 1 else {}))
        if dice.chance(0.8):
            written["kernel_shape"] = list(kernel)
        domain = CHANNELS_LAST_DOMAIN if self.is_last else ""
        self.x = writer.node("Conv", inputs, domain=domain, **written)
        self._reshape_to(tuple(map(len, places)), outputs)

    def _transposed_convolution(self) -> None:
        dice, writer = self.dice, self.writer
        rank, channels = len(self.image), self.channels
        divisors = [n for n in range(1, channels + 1) if channels % n == 0]
        groups = dice.pick((1, 1, dice.pick(divisors)))
        while True:
            kernel = tuple(dice.integer(1, 3) for _ in self.image)
            strides = [dice.integer(1, 3) for _ in kernel]
            dilations = [dice.pick((1, 1, 2)) for _ in kernel]
            pads = [dice.pick((0, 0, 1)) for _ in range(2 * rank)]
            more = [dice.integer(0, max(s, d) - 1) for s, d in zip(strides, dilations, strict=True)]
            full = [
                s * (size - 1) + m + d * (k - 1) + 1
                for size, k, s, d, m in zip(
                    self.image, kernel, strides, dilations, more, strict=True
                )
            ]
            sizes = [n - pads[axis] - pads[rank + axis] for axis, n in enumerate(full)]
            if min(sizes) >= 1 and prod(sizes) <= 80:
                break
        attributes: dict[str, Any] = {"strides": strides, "dilations": dilations, "pads": pads}
        if any(more):
            attributes["output_padding"] = more
        written = self._written(attributes, group=groups)
        if dice.chance(0.15):
            sizes = [dice.integer(max(1, n - 2), n) for n in full]
            written["output_shape"] = sizes
            written.pop("pads", None)
            if dice.chance(0.5):
                written["auto_pad"] = dice.pick(("SAME_UPPER", "SAME_LOWER"))
        outputs = dice.integer(1, 3)
        # A scale for each output is one for each channel of a group: it has to be shared.
        weights = self._weights(channels, outputs, *kernel, channel_axis=1)
        inputs = [self.x, weights]
        if dice.chance(0.4):
            inputs.append(self._bias(groups * outputs, has_row=False))
        self.x = writer.node("ConvTranspose", inputs, **written)
        self._reshape_to(tuple(sizes), groups * outputs)

    def _im2col(self) -> None:
        """Write a convolution as FINN lowers it: windows as rows, and a product."""
        dice, writer = self.dice, self.writer
        kernel, attributes, places = self._windows()
        pads = self._pads(kernel, attributes)
        before, behind = zip(*pads, strict=True)
        rows = writer.node(
            "Im2Col",
            [self.x],
            domain=writer.domain,
            kernel_size=list(kernel),
            stride=attributes["strides"],
            pad_amount=[*before, *behind],
            dilations=attributes["dilations"],
            input_shape=f"(1, {', '.join(map(str, self.shape))})",
        )
        outputs = dice.integer(1, 4)
        weights = self._weights(prod(kernel) * self.channels, outputs, channel_axis=1)
        self.x = writer.node("MatMul", [rows, weights])
        self._reshape_to(tuple(map(len, places)), outputs)

    def _channels_first(self) -> None:
        """Transpose to the standard's layout."""
        rank = len(self.image)
        self.x = self.writer.node("Transpose", [self.x], perm=[0, rank + 1, *range(1, rank + 1)])
        self.shape, self.is_last = (self.channels, *self.image), False

    def _channels_last(self) -> None:
        """Transpose back from it."""
        rank = len(self.image)
        self.x = self.writer.node("Transpose", [self.x], perm=[0, *range(2, rank + 2), 1])
        self.shape, self.is_last = (*self.image, self.channels), True

    def _max_pool(self) -> None:
        dice, writer = self.dice, self.writer
        if dice.chance(0.1) and not self.is_last:
            self.x = writer.node("GlobalMaxPool", [self.x])
            self._reshape_to((1,) * len(self.image), self.channels)
            return
        is_plain = self.is_last and len(self.image) == 2 and dice.chance(0.4)
        can_more = writer.opset >= 10 and not is_plain
        is_ceil = can_more and dice.chance(0.3)
        kernel, attributes, places = self._windows(ceil=is_ceil, pool=True, dilated=can_more)
        if not can_more:
            del attributes["dilations"]
        written = self._written(attributes, kernel_shape=list(kernel))
        if is_ceil and attributes.get("auto_pad", "NOTSET") == "NOTSET":
            written["ceil_mode"] = 1
        if is_plain:
            self.x = writer.node("MaxPoolNHWC", [self.x], domain=writer.domain, **written)
        else:
            domain = CHANNELS_LAST_DOMAIN if self.is_last else ""
            self.x = writer.node("MaxPool", [self.x], domain=domain, **written)
        self._reshape_to(tuple(map(len, places)), self.channels)

    def _mean(self) -> None:
        """Average, and quantize, truncate, or go on with the sums."""
        dice = self.dice
        if len(self.image) == 2 and dice.chance(0.2):
            self._integer_mean()
            return
        if dice.chance(0.4):  # integers from zero on, as a mean of a truncation has them
            unit, bits = dice.scale(), dice.pick((2, 3, 4))
            signed = dice.chance(0.3)
            self.x = self.writer.quant(self.x, unit, 0, bits, signed=signed)
            count = self._average_pool()
            if count and dice.chance(0.7):
                self._truncate(np.float32(unit) / np.float32(count), bits, count, signed=signed)
                return
        else:
            self._average_pool()
        if dice.chance(0.6):
            self._between(pools=False)
            self._activation()

    def _average_pool(self) -> int:
        """Append a mean; return by what it divides, or 0 where that depends on the place."""
        if self.is_last:  # QONNX has no operator for it
            self._channels_first()
            count = self._average_pool()
            self._channels_last()
            return count
        dice, writer, size = self.dice, self.writer, prod(self.image)
        if dice.chance(0.35) and self.has_exact_mean:
            axes = list(range(2, 2 + len(self.image)))
            if writer.opset >= 18 or dice.chance(0.5):
                self.x = writer.node("GlobalAveragePool", [self.x])
            else:
                self.x = writer.node("ReduceMean", [self.x], axes=axes, keepdims=1)
            self._reshape_to((1,) * len(self.image), self.channels)
            return size
        includes = dice.powers_of_two or dice.chance(0.4)
        is_ceil = writer.opset >= 10 and dice.chance(0.3) and not dice.powers_of_two
        kernel, attributes, places = self._windows(
            most=2 if dice.powers_of_two else 3,
            ceil=is_ceil,
            pool=True,
            dilated=writer.opset >= 19,
        )
        if writer.opset < 19:
            del attributes["dilations"]
        written = self._written(attributes, kernel_shape=list(kernel))
        if includes:
            written["count_include_pad"] = 1
        if is_ceil and attributes.get("auto_pad", "NOTSET") == "NOTSET":
            written["ceil_mode"] = 1
        self.x = writer.node("AveragePool", [self.x], **written)
        self._reshape_to(tuple(map(len, places)), self.channels)
        is_whole = all(len(w) == k for a, k in zip(places, kernel, strict=True) for w in a)
        return prod(kernel) if is_whole or (includes and not is_ceil) else 0

    def _truncate(self, unit: np.float32, bits: int, count: int, *, signed: bool) -> None:
        """Drop low bits of sums, in one of the two versions of the operator."""
        dice, writer = self.dice, self.writer
        wide = bits + (count - 1).bit_length()
        kept = dice.integer(1, wide)
        mode = dice.pick(("FLOOR", "FLOOR", "ROUND", *MODES))
        if dice.chance(0.5):
            inputs = [writer.constant(n) for n in (unit, 0.0, wide, kept)]
            attributes: dict[str, Any] = {}
        else:
            scale = unit * np.float32(2.0 ** (wide - kept) * dice.pick((1, 1, 0.8, 1.25)))
            inputs = [writer.constant(n) for n in (unit, 0.0, wide, scale, kept)]
            attributes = {"signed": int(signed), "narrow": dice.integer(0, 1)}
        self.x = writer.node(
            "Trunc", [self.x, *inputs], domain=writer.domain, rounding_mode=mode, **attributes
        )

    def _integer_mean(self) -> None:
        """Append sums that are shifted, as FINN writes a truncated mean of integers."""
        dice, writer = self.dice, self.writer
        bits, signed = dice.pick((2, 3, 4)), dice.chance(0.4)
        self.x = writer.quant(self.x, 1.0, 0, bits, signed=signed)
        size = dice.integer(1, min(3, *self.image))
        stride = dice.integer(1, 3)
        self.x = writer.node(
            "QuantAvgPool2d",
            [self.x],
            domain=writer.domain,
            kernel=size,
            stride=stride,
            ibits=bits,
            obits=dice.integer(1, 6),
            signed=int(signed),
            data_layout="NHWC" if self.is_last else "NCHW",
        )
        results = tuple((n - size) // stride + 1 for n in self.image)
        self._reshape_to(results, self.channels)

    def _pad(self) -> None:
        """Frame the image, in zeros mostly."""
        dice, writer, rank = self.dice, self.writer, len(self.image)
        ends = [dice.integer(0, 2) for _ in range(2 * rank)]
        before, behind = ends[:rank], ends[rank:]
        around = [[0], [0, *before], [0], [0, *behind]]
        if self.is_last:
            around = [[0, *before], [0], [0, *behind], [0]]
        pads = [n for part in around for n in part]
        value = float(dice.pick((0, 0, 0, dice.number())))
        if writer.opset < 11:
            self.x = writer.node("Pad", [self.x], pads=pads, value=value, mode="constant")
        else:
            inputs = [self.x, writer.constant(pads, np.int64)]
            if value or dice.chance(0.5):
                inputs.append(writer.constant(value))
            self.x = writer.node("Pad", inputs, mode="constant")
        image = tuple(sum(p) for p in zip(self.image, before, behind, strict=True))
        self._reshape_to(image, self.channels)
        if dice.chance(0.5):
            self._activation()

    def _join(self) -> None:
        """Add a pointwise convolution to what it reads, and quantize the sum."""
        dice, writer = self.dice, self.writer
        start, channels = self.x, self.channels
        rank = len(self.image)
        shape = (
            (channels, *[1] * rank, channels) if self.is_last else (channels, channels, *[1] * rank)
        )
        weights = self._weights(*shape, channel_axis=0)
        domain = CHANNELS_LAST_DOMAIN if self.is_last else ""
        self.x = writer.node("Conv", [start, weights], domain=domain)
        self._elementwise()
        self._activation()
        self.x = writer.node(dice.pick(("Add", "Sub")), [self.x, start])
        self._activation()

    def _moves(self) -> None:
        """Flatten, with a transposition before it or not; or pool what is left first."""
        dice, writer = self.dice, self.writer
        if not self.is_image:
            return
        if dice.chance(0.2):
            self._reduced()
            return
        if dice.chance(0.3):
            rank = len(self.shape)
            moves = [0, rank, *range(1, rank)] if self.is_last else [0, *range(2, rank + 1), 1]
            self.x = writer.node("Transpose", [self.x], perm=moves)
            self.shape = tuple(self.shape[m - 1] for m in moves[1:])
            self.is_last = not self.is_last
        width = prod(self.shape)
        if dice.chance(0.5):
            self.x = writer.node("Flatten", [self.x], axis=1)
        else:
            self.x = self._reshaped((width,))
        self.shape, self.is_last, self.batch_norm_domain = (width,), False, ""

    @property
    def has_exact_mean(self) -> bool:
        """Whether floats hold the mean of the whole image."""
        return log2(prod(self.image)).is_integer() or not self.dice.powers_of_two

    def _reduced(self) -> None:
        """Leave one number of each channel, by a reduction over the image."""
        dice, writer = self.dice, self.writer
        kinds = ["ReduceSum", "ReduceMax"] + ["ReduceMean"] * 2 * self.has_exact_mean
        kind = dice.pick(kinds)
        first = 1 if self.is_last else 2
        axes = [*range(first, first + len(self.image))]
        if dice.chance(0.3):
            axes = [axis - len(self.shape) - 1 for axis in axes]
        if writer.opset >= 18 or (writer.opset >= 13 and kind == "ReduceSum"):
            inputs = [self.x, writer.constant(axes, np.int64)]
            self.x = writer.node(kind, inputs, keepdims=0)
        else:
            self.x = writer.node(kind, [self.x], axes=axes, keepdims=0)
        self.shape, self.is_last, self.batch_norm_domain = (self.channels,), False, ""

    def _functions(self) -> None:
        self._elementwise()
        if self.has_functions and self.dice.chance(0.5):
            self.x = Functions(self.writer, self.dice, self.shape).any(self.x)
