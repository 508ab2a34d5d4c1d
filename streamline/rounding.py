"""Where a rounding mode goes from one integer to the next.

Every rounding mode is a staircase: round(y) >= k + 1 holds from a boundary b(k) in [k, k + 1] on,
which itself belongs to the upper step or to the lower one. That is all a comparator needs.
The names are those of QONNX (any case), and Brevitas' own for the same functions.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from lutloom.core.rounding import Rounding

_HALF = Fraction(1, 2)


_NAMES = {
    "ROUND": Rounding.HALF_EVEN,
    "HALF_EVEN": Rounding.HALF_EVEN,
    "HALF_UP": Rounding.HALF_UP,
    "HALF_DOWN": Rounding.HALF_DOWN,
    "FLOOR": Rounding.FLOOR,
    "CEIL": Rounding.CEIL,
    "UP": Rounding.UP,
    "DOWN": Rounding.DOWN,
    "ROUND_TO_ZERO": Rounding.DOWN,
}

# What Brevitas can name besides; of weights it exports what they round to, so data are meant.
_REFUSED = {
    "DPU": "has no meaning in QONNX: train with ROUND",
    "LEARNED_ROUND": "has parameters that the file does not hold: train activations with ROUND",
    "STOCHASTIC_ROUND": "is random: train activations with ROUND",
}


def rounding_named(name: str) -> Rounding:
    """Return the rounding mode called ``name`` in QONNX or Brevitas.

    Raises ``ValueError`` listing the known ones.
    """
    mode = _NAMES.get(name.upper())
    if name.upper() in _REFUSED:
        raise ValueError(f"the rounding mode '{name}' {_REFUSED[name.upper()]}")
    if mode is None:
        raise ValueError(f"the rounding mode '{name}' is unknown: use one of {sorted(_NAMES)}")
    return mode


def step_up(mode: Rounding) -> Callable[[int], tuple[Fraction, bool]]:
    """Return the function from ``k`` to ``(b, inclusive)``.

    ``round(y) >= k + 1`` if and only if ``y > b``, or ``y = b`` and ``inclusive``.
    """
    return _STEPS[mode]


_STEPS: dict[Rounding, Callable[[int], tuple[Fraction, bool]]] = {
    Rounding.HALF_EVEN: lambda k: (k + _HALF, k % 2 == 1),
    Rounding.HALF_UP: lambda k: (k + _HALF, k >= 0),
    Rounding.HALF_DOWN: lambda k: (k + _HALF, k < 0),
    Rounding.FLOOR: lambda k: (Fraction(k + 1), True),
    Rounding.CEIL: lambda k: (Fraction(k), False),
    Rounding.UP: lambda k: (Fraction(k), False) if k >= 0 else (Fraction(k + 1), True),
    Rounding.DOWN: lambda k: (Fraction(k + 1), True) if k >= 0 else (Fraction(k), False),
}
