"""Whether a function of one number rises or falls, as its form shows, channel by channel.

Sums, minima and maxima of functions that rise are functions that rise; so is one that rises of
another. What the form does not show is left open: no statement is made about ``x * sigmoid(x)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.streamline.expression import Apply, Argument, Expression, Function, Numbers, parts
from lutloom.streamline.symbols import Scaled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lutloom.core.rational import Rationals
    from lutloom.streamline.symbols import Formula

    Signs: TypeAlias = NDArray[Any]

_RISING = frozenset(
    {
        Function.ERF,
        Function.EXP,
        Function.IS_POSITIVE,
        Function.LOG,
        Function.SIGMOID,
        Function.SOFTPLUS,
        Function.TANH,
    }
)
_JOINING = frozenset({Function.ADD, Function.MAXIMUM, Function.MINIMUM})


def trend(x: Formula) -> Signs | None:
    """Return 1 where ``x`` does not fall as its value rises, -1 where it does not rise, 0 where it
    is constant: one number for each channel, or one for all. None where that can't be told.

    The arrays of ``x`` vary along the last axis at most.
    """
    if isinstance(x, Scaled):
        return _signs(x.slope)
    known: dict[int, Signs | None] = {}
    for part in parts(x.expression):
        known[id(part)] = _of_part(part, known)
    return known[id(x.expression)]


def _signs(numbers: Rationals) -> Signs:
    import numpy as np

    return np.array([(number > 0) - (number < 0) for number in numbers.ravel().tolist()])


def _of_part(part: Expression, known: dict[int, Signs | None]) -> Signs | None:
    import numpy as np

    match part:
        case Argument():
            return np.ones(1, dtype=np.int64)
        case Numbers():
            return np.zeros(1, dtype=np.int64)
    operands = [known[id(operand)] for operand in part.operands]
    signs = [sign for sign in operands if sign is not None]
    if len(signs) < len(operands):
        return None
    if not any(sign.any() for sign in signs):
        return np.zeros(1, dtype=np.int64)
    return _of_call(part, signs)


def _of_call(part: Apply, signs: list[Signs]) -> Signs | None:
    first, second = signs[0], signs[-1]
    function = part.function
    if function in _RISING:
        return first
    if function in _JOINING:
        return _together(first, second)
    if function is Function.SUBTRACT:
        return _together(first, -second)
    if function is Function.POWER:
        exponent = part.exponent
        is_rising = exponent > 0 and (exponent.denominator > 1 or exponent.numerator % 2 == 1)
        return first if is_rising else None
    if function in {Function.MULTIPLY, Function.DIVIDE}:
        return _scaled(part, signs)
    return None


def _together(first: Signs, second: Signs) -> Signs | None:
    import numpy as np

    if (first * second < 0).any():
        return None
    return np.asarray(np.sign(first + second))


def _scaled(part: Apply, signs: list[Signs]) -> Signs | None:
    """Return the trend of a product with constants, or of a quotient by them."""
    for place, operand in enumerate(part.operands):
        other = 1 - place
        if isinstance(operand, Numbers) and (place == 1 or part.function is Function.MULTIPLY):
            return signs[other] * _signs(operand.values)
    return None
