"""A Brevitas model over NumPy arrays, as it was trained: to verify what is made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lutloom.qat.brevitas_parts import QuantIdentity, QuantReLU

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


def run_model(
    model: torch.nn.Module, pixels: NDArray[np.float32], batch_size: int = 1000
) -> NDArray[np.float32]:
    """Return the logits (N, classes) of pixels (N, C, H, W) in evaluation mode.

    The model is left in the mode in which it came. Raises ValueError if ``batch_size`` is not
    positive or ``pixels`` is empty.
    """
    return trace_model(model, pixels, batch_size)[0]


def trace_model(
    model: torch.nn.Module, pixels: NDArray[np.float32], batch_size: int = 1000
) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]:
    """Return the logits as ``run_model`` does, and what each quantizer of data gave, (N, ...).

    The quantizers are named by their modules: ``layers.quantize0``.
    """
    if batch_size < 1 or len(pixels) == 0:
        raise ValueError(f"{len(pixels)} images in batches of {batch_size}: use at least one each")
    was_training = model.training
    model.eval()
    traces: dict[str, list[torch.Tensor]] = {}
    hooks = [
        module.register_forward_hook(_keep(traces.setdefault(name, [])))
        for name, module in model.named_modules()
        if isinstance(module, QuantIdentity | QuantReLU)
    ]
    try:
        with torch.inference_mode():
            batches = [
                values_of(model(_tensor(pixels[start : start + batch_size])))
                for start in range(0, len(pixels), batch_size)
            ]
            logits: NDArray[np.float32] = torch.cat(batches).numpy()
            return logits, {name: torch.cat(parts).numpy() for name, parts in traces.items()}
    finally:
        for hook in hooks:
            hook.remove()
        model.train(was_training)


def _tensor(pixels: NDArray[np.float32]) -> torch.Tensor:
    return torch.from_numpy(np.array(pixels, np.float32))


def values_of(x: Any) -> torch.Tensor:  # noqa: ANN401 (a tensor, or Brevitas' of a quantizer)
    """Return ``x`` as a plain tensor."""
    values: torch.Tensor = x if isinstance(x, torch.Tensor) else x.value
    return values


def _keep(batches: list[torch.Tensor]) -> Callable[[torch.nn.Module, object, Any], None]:
    """Return the hook that puts what a module gave into ``batches``."""
    return lambda _, __, output: batches.append(values_of(output))


def classify(logits: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the class (N,) of the largest of each row of logits; of equal ones the lowest."""
    classes: NDArray[np.int64] = np.argmax(logits, axis=1)
    return classes
