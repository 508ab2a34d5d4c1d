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

    Both are as in ``trace_outputs``.
    """
    (logits,), traces = trace_outputs(model, pixels, batch_size)
    return logits, traces


def trace_outputs(
    model: torch.nn.Module, pixels: NDArray[np.float32], batch_size: int = 1000
) -> tuple[tuple[NDArray[np.float32], ...], dict[str, NDArray[np.float32]]]:
    """Return all outputs of a model, (N, ...) each, and what each quantizer of data gave.

    The quantizers are named by their modules: ``layers.quantize0``. One that branches share is used
    several times, which are told apart: ``layers.quantize0``, ``layers.quantize0:1`` and so on.
    """
    if batch_size < 1 or len(pixels) == 0:
        raise ValueError(f"{len(pixels)} images in batches of {batch_size}: use at least one each")
    was_training = model.training
    model.eval()
    quantizers = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, QuantIdentity | QuantReLU)
    ]
    traces: dict[str, list[NDArray[np.float32]]] = {}
    # what each quantizer gave for one batch, in the order of its uses
    uses: dict[str, list[NDArray[np.float32]]] = {name: [] for name, _ in quantizers}
    hooks = [module.register_forward_hook(_keep(uses[name])) for name, module in quantizers]
    try:
        with torch.inference_mode():
            batches: list[tuple[NDArray[np.float32], ...]] = []
            for start in range(0, len(pixels), batch_size):
                outputs = model(_tensor(pixels[start : start + batch_size]))
                # a tensor of Brevitas is a tuple, too
                outputs = outputs if type(outputs) is tuple else (outputs,)
                batches.append(tuple(values_of(output).numpy() for output in outputs))
                for name, values in uses.items():
                    for use, own in enumerate(values):
                        traces.setdefault(f"{name}:{use}" if use else name, []).append(own)
                    values.clear()
        traced = {name: np.concatenate(parts) for name, parts in traces.items()}
        return tuple(map(np.concatenate, zip(*batches, strict=True))), traced
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


def _keep(uses: list[NDArray[np.float32]]) -> Callable[[torch.nn.Module, object, Any], None]:
    """Return the hook that puts what a module gave into ``uses``."""
    return lambda _, __, output: uses.append(values_of(output).numpy())


def classify(logits: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the class (N,) of the largest of each row of logits; of equal ones the lowest."""
    classes: NDArray[np.int64] = np.argmax(logits, axis=1)
    return classes
