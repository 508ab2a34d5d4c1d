"""Random networks that use their levels: batch norms whose statistics are those of data.

An untrained network says the same of every input. What is drawn here behaves as a trained one does
where it matters for whatever is made of it: the statistics of each batch normalization are those of
what reaches it (layer by layer, in one pass, as later ones depend on it), its factors and offsets
spread each channel over the levels of the quantizer behind it, some factors are negative and a few
zero, scales of channels differ, and the logits of each class are centred, so that the class
depends on the input. Which levels and classes occur is counted, not hoped for.

Deep random networks are chaotic: one level that changes in one pixel changes logits by as much as
another image would. So they are no stand-in for accuracy; a number that is wrong anywhere shows at
the end.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lutloom.qat.brevitas_parts import QuantIdentity, QuantLinear, QuantReLU
from lutloom.qat.models.norm import TensorNorm
from lutloom.qat.run import trace_outputs, values_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from numpy.typing import NDArray

    _Hook: TypeAlias = Callable[[torch.nn.Module, tuple[Any, ...]], None]

# Shares of the factors of batch norms.
_NEGATIVE, _ZERO = 0.25, 0.02
# So many deviations of a channel are half of its quantizer's range, and the middles lie apart by
# up to that part of it.
_SPREADS, _OFFSET = (1.0, 2.2), 0.4
# Factors between the scales of channels.
_SCALES = (0.5, 1.5)
_CENTRING_STEPS = 30
_NORMS = (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)
_QUANTIZERS = (QuantIdentity, QuantReLU)
# A wave has at most this many periods along a side.
_MOST_PERIODS = 6.0


@dataclass(frozen=True, slots=True)
class LevelUse:
    """How a quantizer of activations was used: ``used`` of ``levels`` levels occurred.

    ``largest`` is the share of the most frequent one, 0 to 1.
    """

    name: str
    levels: int
    used: int
    largest: float


@dataclass(frozen=True, slots=True)
class Variety:
    """What a network makes of data: the levels of its activations, and its classes.

    ``classes`` are those that occurred with how often, the most frequent first; of a model with
    logits for each pixel, of all pixels; of one with several outputs, of the first.
    """

    activations: tuple[LevelUse, ...]
    classes: tuple[tuple[int, int], ...]


def random_images(shape: tuple[int, ...], count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Return bytes (count, *shape) for a shape (C, H, W), (C, L) or (L,): no two of one kind.

    Each is a mixture of waves of few directions and periods, with a colour, a contrast and a noise
    of its own: images of noise alone look all the same behind a global mean.
    """
    if len(shape) == 1:
        return random_images((1, *shape), count, seed)[:, 0]
    rng = np.random.default_rng(seed)
    places = np.stack(np.meshgrid(*(np.linspace(0, 1, size) for size in shape[1:]), indexing="ij"))
    images = np.empty((count, *shape), np.uint8)
    for image in images:
        real = rng.normal(0, 0.25, shape) * rng.uniform(0, 1)
        for _ in range(3):
            periods = rng.uniform(-_MOST_PERIODS, _MOST_PERIODS, len(shape) - 1)
            phase = 2 * math.pi * (np.tensordot(periods, places, 1) + rng.uniform())
            colour = rng.normal(0, 0.3, (shape[0], *[1] * (len(shape) - 1)))
            real += colour * np.cos(phase)
        real += rng.uniform(0.2, 0.8, (shape[0], *[1] * (len(shape) - 1)))
        image[...] = np.clip(np.round(255 * real), 0, 255)
    return images


def calibrate(model: torch.nn.Module, inputs: NDArray[np.float32], seed: int = 0) -> None:
    """Draw the batch norms and the channels' scales of ``model``, for ``inputs`` (N, ...).

    What is drawn depends on ``seed`` alone, the statistics on the inputs. The logits of each class
    are centred by the last linear layer's bias, or where it has none by its weights; not those of a
    model without one, such as one that makes an image of an image. The model is left in evaluation
    mode.
    """
    generator = torch.Generator().manual_seed(seed)
    model.eval()
    data = torch.from_numpy(np.array(inputs, np.float32))
    linears = [module for module in model.modules() if isinstance(module, QuantLinear)]
    with torch.inference_mode():
        _draw_scales(model, generator)
        hooks = [
            norm.register_forward_pre_hook(_fit_to(quantizer, generator))
            for norm, quantizer in _norms_with_quantizers(model, data[:1])
        ]
        hooks += [layer.register_forward_pre_hook(_centre) for layer in linears[-1:]]
        hooks += [
            module.register_forward_pre_hook(_fit_tensor_norm)
            for module in model.modules()
            if isinstance(module, TensorNorm)
        ]
        try:
            model(data)
        finally:
            for hook in hooks:
                hook.remove()


def variety(model: torch.nn.Module, inputs: NDArray[np.float32]) -> Variety:
    """Return which levels and classes occur for ``inputs`` (N, ...)."""
    (logits, *_), traces = trace_outputs(model, inputs, batch_size=16)
    modules = dict(model.named_modules())
    activations = tuple(
        _use(name, modules[name.partition(":")[0]], values) for name, values in traces.items()
    )
    classes = Counter(np.argmax(logits, axis=1).ravel().tolist())
    return Variety(activations, tuple(classes.most_common()))


def _use(name: str, quantizer: Any, values: NDArray[np.float32]) -> LevelUse:  # noqa: ANN401
    scale = quantizer.act_quant.scale().detach().numpy()
    low, high, step = _levels(quantizer)
    integers = np.round(values / scale).astype(np.int64)
    counts = np.bincount((integers.ravel() - low) // step)
    levels = (high - low) // step + 1
    return LevelUse(name, levels, int((counts > 0).sum()), float(counts.max() / counts.sum()))


def _levels(quantizer: Any) -> tuple[int, int, int]:  # noqa: ANN401 (a layer of Brevitas)
    """Return the least and the largest integer of a quantizer, and the step between two."""
    proxy = quantizer.act_quant
    bits = int(proxy.bit_width().item())
    if not proxy.is_signed:
        return 0, 2**bits - 1, 1
    if bits == 1:
        return -1, 1, 2
    high = 2 ** (bits - 1) - 1
    return (-high if proxy.is_narrow_range else -high - 1), high, 1


def _norms_with_quantizers(
    model: torch.nn.Module, data: torch.Tensor
) -> list[tuple[torch.nn.Module, torch.nn.Module]]:
    """Return each batch norm with the quantizer that comes next."""
    order: list[torch.nn.Module] = []
    hooks = [
        module.register_forward_pre_hook(lambda module, _: order.append(module))
        for module in model.modules()
        if isinstance(module, (*_NORMS, *_QUANTIZERS))
    ]
    model(data)
    for hook in hooks:
        hook.remove()
    return [
        (module, behind)
        for module, behind in pairwise(order)
        if isinstance(module, _NORMS) and isinstance(behind, _QUANTIZERS)
    ]


def _draw_scales(model: torch.nn.Module, generator: torch.Generator) -> None:
    """Spread the scales of quantizers that have one a channel."""
    for module in model.modules():
        if isinstance(module, _QUANTIZERS):
            for scales in module.parameters():
                if scales.numel() > 1:
                    factors = _uniform(generator, scales.numel(), *_SCALES)
                    scales.mul_(factors.reshape(scales.shape))


def _fit_to(quantizer: Any, generator: torch.Generator) -> _Hook:  # noqa: ANN401 (of Brevitas)
    """Return the hook that fits a batch norm to what reaches it, and to the quantizer behind."""
    low, high, _ = _levels(quantizer)
    scale = quantizer.act_quant.scale().detach().reshape(-1)

    def fit(norm: torch.nn.Module, inputs: tuple[Any, ...]) -> None:
        x = values_of(inputs[0])
        axes = [axis for axis in range(x.dim()) if axis != 1]
        norm.get_buffer("running_mean").copy_(x.mean(axes))
        norm.get_buffer("running_var").copy_(x.var(axes, unbiased=False))
        channels = x.shape[1]
        middle, half = scale * (high + low) / 2, scale * (high - low) / 2
        draw = torch.rand(channels, generator=generator)
        sign = torch.where(draw < _NEGATIVE, -1.0, 1.0) * (draw < 1 - _ZERO)
        gamma = sign * half / _uniform(generator, channels, *_SPREADS)
        norm.get_parameter("weight").copy_(gamma)
        offset = _uniform(generator, channels, -_OFFSET, _OFFSET)
        norm.get_parameter("bias").copy_(middle + half * offset)

    return fit


def _centre(layer: Any, inputs: tuple[Any, ...]) -> None:  # noqa: ANN401 (a layer of Brevitas)
    """Make the mean of each output zero, or nearly."""
    mean = values_of(inputs[0]).mean(0)
    if layer.bias is not None:
        layer.bias.copy_(-layer.quant_weight(inputs[0]).value @ mean)
        return
    for _ in range(_CENTRING_STEPS):
        # quantized weights move in steps: a part of the way each time
        excess = layer.quant_weight(inputs[0]).value @ mean / mean.square().sum().clamp(min=1e-9)
        layer.weight.sub_(0.5 * excess[:, None] * mean).clamp_(-1.0, 1.0)


def _fit_tensor_norm(norm: torch.nn.Module, inputs: tuple[Any, ...]) -> None:
    x = values_of(inputs[0])
    norm.get_buffer("running_mean").fill_(x.mean())
    norm.get_buffer("running_var").fill_(x.var(unbiased=False))


def _uniform(generator: torch.Generator, count: int, low: float, high: float) -> torch.Tensor:
    return low + (high - low) * torch.rand(count, generator=generator)
