"""A few steps of training, and all that they give: to be compared bit by bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from lutloom.qat.run import values_of

STEPS = 3


@dataclass(frozen=True)
class Course:
    """What a few steps of training gave, all of it, and what the model gives behind them."""

    outputs: list[torch.Tensor]
    gradients: list[dict[str, torch.Tensor | None]]
    weights: dict[str, torch.Tensor]
    evaluated: list[torch.Tensor]


def course(
    model: nn.Module, images: torch.Tensor, compute: Callable[[torch.Tensor], Any]
) -> Course:
    """Train ``model`` for some steps, where ``compute`` is its forward pass."""
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    outputs, gradients = [], []
    for step in range(STEPS):
        torch.manual_seed(step)  # for dropout
        found = results(compute(images))
        optimizer.zero_grad()
        losses = [(y * torch.linspace(-1, 1, y.numel()).reshape(y.shape)).sum() for y in found]
        torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        outputs += [y.detach() for y in found]
        gradients.append(
            {
                name: None if weight.grad is None else weight.grad.clone()
                for name, weight in model.named_parameters()
            }
        )
    weights = {name: weight.clone() for name, weight in model.state_dict().items()}
    model.eval()
    with torch.no_grad():
        evaluated = results(compute(images))
    return Course(outputs, gradients, weights, evaluated)


def results(found: Any) -> list[torch.Tensor]:  # noqa: ANN401 (what a model gives)
    return [values_of(y) for y in (found if type(found) is tuple else (found,))]


def assert_same(ours: Course, theirs: Course) -> None:
    for mine, other in zip(ours.outputs, theirs.outputs, strict=True):
        assert torch.equal(mine, other)
    for mine, other in zip(ours.evaluated, theirs.evaluated, strict=True):
        assert torch.equal(mine, other)
    for gradients, others in zip(ours.gradients, theirs.gradients, strict=True):
        for name, gradient in others.items():
            found = gradients[name]
            assert (found is None) == (gradient is None), name
            assert found is None or gradient is None or torch.equal(found, gradient), name
    assert ours.weights.keys() == theirs.weights.keys()
    for name, weight in theirs.weights.items():
        assert torch.equal(ours.weights[name], weight), name
