"""The forward pass of single layers of Brevitas, without what a training step has no use for.

A layer of Brevitas works out which scale, zero point and bit width its result has, even where its
result is handed on as a plain tensor; here only the values are computed, and the description of
values where the layer returns it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from lutloom.qat.brevitas_parts import (
    JIT_ENABLED,
    ActQuantProxyFromInjector,
    IntQuantTensor,
    QuantConv1d,
    QuantConv2d,
    QuantConvTranspose2d,
    QuantIdentity,
    QuantLinear,
    QuantReLU,
    QuantSigmoid,
    WeightQuantProxyFromInjector,
)
from lutloom.qat.fused.convolution import Window, integer_convolution, mark, marked
from lutloom.qat.fused.quantizers import fused_quantizer
from lutloom.qat.run import values_of

if TYPE_CHECKING:
    from collections.abc import Callable

    Forward = Callable[[Any], Any]

_WEIGHTED = (QuantConv1d, QuantConv2d, QuantConvTranspose2d, QuantLinear)
_ACTIVATIONS = (QuantIdentity, QuantReLU, QuantSigmoid)
_IMAGES = (QuantConv2d, QuantConvTranspose2d)
# the proxies of a layer: what stands for its quantizers
_OF_WEIGHTED = ("input_quant", "weight_quant", "bias_quant", "output_quant")
_OF_ACTIVATIONS = ("input_quant", "act_quant")


@dataclass(frozen=True, slots=True)
class Kept:
    """A layer that is computed by Brevitas, or the quantizer in it, with the reason."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Fusing:
    """What replaces the forward pass of a layer, if anything, and what is kept of it, if so."""

    forward: Forward | None
    kept: str | None = None


def is_looked_at(layer: nn.Module) -> bool:
    """Tell whether ``layer`` is of those that may be replaced."""
    return isinstance(layer, _WEIGHTED + _ACTIVATIONS) or type(layer) is nn.MaxPool2d


def state(layer: Any) -> tuple[object, ...]:  # noqa: ANN401 (of Brevitas, untyped)
    """Return all that decides how ``layer`` computes: where it changes, fusing starts over."""
    if isinstance(layer, nn.MaxPool2d):
        return ()
    names = _OF_WEIGHTED if _has_weights(layer) else _OF_ACTIVATIONS
    proxies = [getattr(layer, name) for name in names]
    parts = tuple((proxy.is_quant_enabled, *_parts(proxy)) for proxy in proxies)
    return (layer.export_mode, layer.return_quant_tensor, *parts)


def fuse(layer: Any, *, channels_last: bool) -> Fusing:  # noqa: ANN401 (of Brevitas, untyped)
    """Return what computes the same as ``layer``."""
    if JIT_ENABLED:
        # TorchScript puts their operations together in its own way
        return Fusing(None, "Brevitas compiles its quantizers, as BREVITAS_JIT says")
    if isinstance(layer, nn.MaxPool2d):
        is_own = "forward" not in layer.__dict__
        return Fusing(_pooling(layer) if channels_last and is_own else None)
    if layer.export_mode:
        return Fusing(None, "it is being exported")
    if not _computes_as_brevitas(layer):
        return Fusing(None, "its forward pass is one of its own")
    if layer.input_quant.is_quant_enabled:
        return Fusing(None, "it quantizes its input")
    if _has_weights(layer):
        return _weighted(layer, channels_last=channels_last)
    return _activation(layer)


def _has_weights(layer: nn.Module) -> bool:
    return isinstance(layer, _WEIGHTED)


def _computes_as_brevitas(layer: nn.Module) -> bool:
    known = next(kind for kind in _WEIGHTED + _ACTIVATIONS if isinstance(layer, kind))
    methods = ("forward", "forward_impl", "quant_weight")
    is_same = (getattr(type(layer), name, None) is getattr(known, name, None) for name in methods)
    return "forward" not in layer.__dict__ and all(is_same)


def _parts(proxy: Any) -> tuple[object, ...]:  # noqa: ANN401
    if not isinstance(proxy, ActQuantProxyFromInjector):
        return (proxy.tensor_quant,)
    both = proxy.fused_activation_quant_proxy
    parts: tuple[object, ...] = () if both is None else (both.activation_impl, both.tensor_quant)
    return (proxy.cache_inference_quant_act, proxy.skip_create_quant_tensor, *parts)


def _weighted(layer: Any, *, channels_last: bool) -> Fusing:  # noqa: ANN401
    proxy = layer.weight_quant
    reason = None
    if layer.output_quant.is_quant_enabled or layer.return_quant_tensor:
        reason = "it gives more than plain values"
    elif layer.bias is not None and layer.bias_quant.is_quant_enabled:
        reason = "it quantizes its bias"
    elif not proxy.is_quant_enabled:
        reason = "it does not quantize its weights"
    elif type(proxy) is not WeightQuantProxyFromInjector:
        reason = f"its weights are quantized through {type(proxy).__name__}"
    if reason is not None:
        return Fusing(None, reason)
    quantize = fused_quantizer(proxy.tensor_quant) or proxy.tensor_quant

    is_arranged = channels_last and isinstance(layer, _IMAGES)
    forward = (_convolution if is_arranged else _product)(layer, quantize)
    return Fusing(forward, _kept(quantize, proxy.tensor_quant))


def _product(layer: Any, quantize: Any) -> Forward:  # noqa: ANN401
    def forward(x: Any) -> Any:  # noqa: ANN401 (a tensor, or Brevitas')
        return layer.inner_forward_impl(values_of(x), quantize(layer.weight)[0], layer.bias)

    return forward


def _convolution(layer: Any, quantize: Any) -> Forward:  # noqa: ANN401
    window = Window.of(layer) if isinstance(layer, QuantConv2d) else None
    levels = getattr(quantize, "levels", None)

    def forward(x: Any) -> Any:  # noqa: ANN401 (a tensor, or Brevitas')
        values, weights = values_of(x), quantize(layer.weight)[0]
        sums: Any = None
        if window is not None and values.is_contiguous(memory_format=torch.channels_last):
            sums = integer_convolution(values, weights, window, levels)
        if sums is None:
            values = values.contiguous(memory_format=torch.channels_last)
            weights = weights.contiguous(memory_format=torch.channels_last)
            sums = layer.inner_forward_impl(values, weights, layer.bias)
        return sums

    return forward


def _pooling(layer: nn.MaxPool2d) -> Forward:
    def forward(x: Any) -> Any:  # noqa: ANN401 (a tensor, or Brevitas', in and out)
        pooled = nn.MaxPool2d.forward(layer, x)
        if not layer.return_indices:
            # the largest of some levels is one of them
            mark(values_of(pooled), marked(values_of(x)))
        return pooled

    return forward


def _activation(layer: Any) -> Fusing:  # noqa: ANN401
    proxy = layer.act_quant
    reason = None
    if not proxy.is_quant_enabled:
        reason = "it does not quantize"
    elif type(proxy) is not ActQuantProxyFromInjector:
        reason = f"it quantizes through {type(proxy).__name__}"
    elif proxy.cache_inference_quant_act or proxy.skip_create_quant_tensor:
        reason = "it keeps what it computes"
    if reason is not None:
        return Fusing(None, reason)
    both = proxy.fused_activation_quant_proxy
    activate, quantizer = both.activation_impl, both.tensor_quant
    quantize = fused_quantizer(quantizer, rectified=type(activate) is nn.ReLU)
    if type(activate) is nn.Identity or (quantize is not None and type(activate) is nn.ReLU):
        activate = None
    quantize = quantize or quantizer
    levels = getattr(quantize, "levels", None)

    def forward(x: Any) -> Any:  # noqa: ANN401 (a tensor, or Brevitas', in and out)
        values = values_of(x)
        quantized = quantize(values if activate is None else activate(values))
        mark(quantized[0], levels)
        if layer.return_quant_tensor:
            return IntQuantTensor(*quantized, proxy.is_signed, proxy.training)
        return quantized[0]

    return Fusing(forward, _kept(quantize, quantizer))


def _kept(quantize: object, quantizer: object) -> str | None:
    return f"its quantizer is {type(quantizer).__name__}" if quantize is quantizer else None
