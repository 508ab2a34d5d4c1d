"""Error bounds where elements only move, and where numbers are put between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lutloom.streamline.bounded import Bounded

if TYPE_CHECKING:
    from lutloom.streamline.bounded import Bound, Floats, Operands, Tensors
    from lutloom.streamline.source import SourceNode


def _moved(node: SourceNode, operands: Operands, tensors: Tensors) -> Bounded:
    import numpy as np

    x = operands[0]
    output = next(name for name in node.outputs if name)
    if node.op_type == "Transpose":
        axes = node.integers("perm")
        return Bounded(np.transpose(x.value, axes), np.transpose(x.error, axes), x.is_exact)
    shape = tensors[output].shape
    return Bounded(x.value.reshape(shape), x.error.reshape(shape), x.is_exact)


def _joined(node: SourceNode, operands: Operands, _: Tensors) -> Bounded:
    import numpy as np

    axis = node.integer("axis", 0)
    value: Floats = np.concatenate([x.value for x in operands], axis=axis)
    error: Floats = np.concatenate([x.error for x in operands], axis=axis)
    return Bounded(value, error, all(x.is_exact for x in operands))


def _padded(node: SourceNode, operands: Operands, _: Tensors) -> Bounded:
    """Put numbers around the data, or take some of the data away."""
    x = operands[0]
    given = dict(zip((name for name in node.inputs if name), operands, strict=True))
    numbers = [given[name].value if name else None for name in node.inputs]
    fill = padding_value(node, numbers)
    pad = padding(node, x.value.shape, numbers)
    return Bounded(pad(x.value, fill), pad(x.error, 0.0), x.is_exact)


def padding_value(node: SourceNode, numbers: list[Floats | None]) -> float:
    """Return what a ``Pad`` puts around its data; ``numbers`` are its inputs."""
    if len(numbers) > 2 and numbers[2] is not None:
        return float(numbers[2].reshape(-1)[0])
    return float(node.number("value", 0.0))


def padding(
    node: SourceNode, shape: tuple[int, ...], numbers: list[Floats | None]
) -> Callable[[Any, Any], Any]:
    """Return what a ``Pad`` makes of an array of ``shape`` and of a number to put around it."""
    import numpy as np

    rank = len(shape)
    amounts = node.integers("pads") or node.integers("paddings")
    if amounts is None:
        assert numbers[1] is not None
        amounts = tuple(int(number) for number in numbers[1].ravel())
    axes = tuple(range(rank))
    if len(numbers) > 3 and numbers[3] is not None:
        axes = tuple(int(axis) % rank for axis in numbers[3].ravel())
    before, after = [0] * rank, [0] * rank
    for place, axis in enumerate(axes):
        before[axis], after[axis] = amounts[place], amounts[len(axes) + place]
    inside = tuple(
        slice(max(-b, 0), size - max(-a, 0))
        for b, a, size in zip(before, after, shape, strict=True)
    )
    widths = [(max(b, 0), max(a, 0)) for b, a in zip(before, after, strict=True)]
    mode: Any = node.text("mode", "constant")

    def pad(values: Any, fill: Any) -> Any:  # noqa: ANN401 - of numbers or of their places
        if mode == "constant":
            return np.pad(values[inside], widths, constant_values=fill)
        return np.pad(values[inside], widths, mode=mode)

    return pad


MOVES = frozenset(
    {"Cast", "Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}
)
"""Operators of one tensor whose other operands, where they have any, are no numbers of it."""

MOVE_BOUNDS: Mapping[str, Bound] = {
    **dict.fromkeys(MOVES, _moved),
    "Concat": _joined,
    "Pad": _padded,
}
