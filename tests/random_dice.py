"""Numbers for random networks: powers of two and small sums of them, or anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]


class Dice:
    """A generator of one kind of numbers: those that make ties frequent, or any."""

    def __init__(self, seed: int, *, powers_of_two: bool) -> None:
        self.rng = np.random.default_rng(seed)
        self.powers_of_two = powers_of_two

    def integer(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def pick(self, choices: Sequence[Any]) -> Any:  # noqa: ANN401 - any of them
        return choices[self.integer(0, len(choices) - 1)]

    def scale(self, *shape: int) -> Array:
        """Return positive scales."""
        if self.powers_of_two:
            return np.asarray(2.0 ** self.rng.integers(-2, 2, shape), dtype=np.float32)
        return np.asarray(self.rng.uniform(0.2, 2.0, shape), dtype=np.float32)

    def signed(self, *shape: int) -> Array:
        """Return factors of either sign."""
        return np.asarray(self.scale(*shape) * self.rng.choice([-1, 1], shape), dtype=np.float32)

    def number(self, *shape: int) -> Array:
        """Return addends."""
        if self.powers_of_two:
            return np.asarray(self.rng.integers(-12, 13, shape) / 4, dtype=np.float32)
        return np.asarray(self.rng.normal(0, 2, shape), dtype=np.float32)
