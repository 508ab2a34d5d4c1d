"""Brevitas' exporters of QONNX, put right where the file would compute something else.

* Weights are written as they are quantized. Brevitas 0.13.4 writes the float weights, and the
  file's ``Quant`` quantizes them anew: where a quantizer is more than a rounding of w / s (ternary
  weights, DoReFa-Net's, A2Q's), to other integers than the model's, and of the others possibly to
  another one next to a tie, which 32-bit floats decide.
* One bit from zero up is a ``Quant`` to 0 and 1. Brevitas writes ``BipolarQuant`` for any one bit.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from lutloom.qat.brevitas_parts import BrevitasQuantOp, QONNXDynamoManager, QONNXManager

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch


class _PutRight:
    @classmethod
    def set_export_mode(cls, model: torch.nn.Module, enabled: bool) -> None:  # noqa: FBT001 (as in Brevitas)
        # switching it on makes each handler compute scales and quantized weights, and choose
        super().set_export_mode(model=model, enabled=enabled)  # type: ignore[misc]
        if enabled:
            for proxy in model.modules():
                _put_in(proxy)
                _choose(proxy)


class Traced(_PutRight, QONNXManager):  # type: ignore[misc]
    """The exporter that traces."""


class Dynamo(_PutRight, QONNXDynamoManager):  # type: ignore[misc]
    """The exporter on ``torch.export``."""


def _put_in(proxy: Any) -> None:  # noqa: ANN401 (of Brevitas)
    values = getattr(getattr(proxy, "export_handler", None), "quant_weight_values", {})
    for layer in proxy.tracked_module_list if values else ():
        # a weight that layers share is in place already
        layer.weight.data = values.get(layer.weight.data_ptr(), layer.weight.data)


def _choose(proxy: Any) -> None:  # noqa: ANN401 (of Brevitas)
    handler: Any = getattr(proxy, "export_handler", None)
    said = getattr(handler, "symbolic_kwargs", {})
    if said.get("bit_width") == 1 and not said["signed"]:
        handler.quant_op = BrevitasQuantOp


@contextlib.contextmanager
def weights_kept(model: torch.nn.Module) -> Iterator[None]:
    """Give the parameters of ``model`` their values back in the end."""
    before = [(parameter, parameter.data) for parameter in model.parameters()]
    try:
        yield
    finally:
        for parameter, values in before:
            parameter.data = values
