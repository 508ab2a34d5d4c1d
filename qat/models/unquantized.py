"""The same model in floats: plain layers of torch in the place of Brevitas'.

Names, shapes and parameters of layers and norms are those of the quantized model, so that weights
go from one to the other. A quantizer behind a ReLU leaves the ReLU, and any other one nothing.
"""

from __future__ import annotations

from torch import nn

from lutloom.qat.brevitas_parts import (
    QuantConv1d,
    QuantConv2d,
    QuantIdentity,
    QuantLinear,
    QuantReLU,
    QuantSigmoid,
    TruncAdaptiveAvgPool2d,
    TruncAvgPool2d,
)


def unquantized(model: nn.Module) -> nn.Module:
    """Return ``model`` with no quantizer in it; it is changed in place.

    A module that is in several places stays one.
    """
    plain: dict[nn.Module, nn.Module] = {}
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):  # noqa: SLF001 (named_children skips the second of two)
            if child is None:
                continue
            if child not in plain:
                plain[child] = _plain(child)
            parent.add_module(name, plain[child])
    return model


def _plain(module: nn.Module) -> nn.Module:
    match module:
        case QuantIdentity():
            return nn.Identity()
        case QuantReLU():
            return nn.ReLU()
        case QuantSigmoid():
            return nn.Sigmoid()
        case TruncAvgPool2d():
            return nn.AvgPool2d(module.kernel_size, module.stride)
        case TruncAdaptiveAvgPool2d():
            return nn.AdaptiveAvgPool2d(module.output_size)
        case QuantLinear():
            return _with_weights_of(
                module, nn.Linear(module.in_features, module.out_features, module.bias is not None)
            )
        case QuantConv1d() | QuantConv2d():
            convolution = nn.Conv1d if isinstance(module, nn.Conv1d) else nn.Conv2d
            return _with_weights_of(
                module,
                convolution(
                    module.in_channels,
                    module.out_channels,
                    module.kernel_size,
                    module.stride,
                    module.padding,
                    groups=module.groups,
                    bias=module.bias is not None,
                ),
            )
        case _:
            return module


def _with_weights_of(layer: nn.Module, plain: nn.Module) -> nn.Module:
    for name, parameter in layer.named_parameters(recurse=False):
        plain.register_parameter(name, parameter)
    return plain
