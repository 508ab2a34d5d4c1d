"""Prices at which a bound is best: a linear program over all plans, solved plan by plan.

    minimise z,  for each row:  sum of x[k] * total[k, resource of the row]  <=  scale * z + limit

with shares ``x[k]`` of plans. Its duals are prices of the rows; at these, the cheapest plan is one
that the program should know, and if it does already, no prices bound ``z`` better. Floats choose
prices only: what follows from prices is computed in integers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import IntArray

_SMALL = 1e-10
_MOST_TURNS = 500


@dataclass(frozen=True)
class Row:
    """What a plan takes of ``resource`` is at most ``scale * z + limit``."""

    resource: int
    scale: int
    limit: int


@dataclass(eq=False)
class Relaxation:
    """The program with the plans that are known so far, by what they take in all."""

    rows: tuple[Row, ...]
    totals: list[IntArray] = field(default_factory=list)
    _basis: list[int] = field(default_factory=list)

    def add(self, total: IntArray) -> bool:
        """Take in a plan; return whether it is new.

        The first one should keep all limits of rows whose scale is 0.
        """
        if any((total == known).all() for known in self.totals):
            return False
        self.totals.append(total)
        return True

    def solve(self) -> tuple[float, NDArray[np.float64], dict[int, float]]:
        """Return the least ``z``, the prices of the rows, and the shares of plans, by number.

        Prices times scales are 1 in all.
        """
        import numpy as np

        matrix, right, costs = self._program()
        if not self._basis:
            self._basis = self._first_basis(matrix, right)
        for turn in range(_MOST_TURNS):
            inverse = np.linalg.inv(matrix[:, self._basis])
            duals = costs[self._basis] @ inverse
            reduced = costs - duals @ matrix
            reduced[self._basis] = 0
            # At last by number, which ends in any case.
            entering = int(reduced.argmin())
            if turn > _MOST_TURNS // 2 and reduced[entering] < -_SMALL:
                entering = int(np.flatnonzero(reduced < -_SMALL)[0])
            if reduced[entering] >= -_SMALL:
                break
            values, column = inverse @ right, inverse @ matrix[:, entering]
            ratios = np.where(
                column > _SMALL, values / np.where(column > _SMALL, column, 1), np.inf
            )
            if not np.isfinite(ratios.min()):
                break
            self._basis[int(ratios.argmin())] = entering
        solution = dict(zip(self._basis, (inverse @ right).tolist(), strict=True))
        first = 1 + len(self.rows)
        shares = {k - first: x for k, x in solution.items() if k >= first and x > _SMALL}
        return solution.get(0, 0.0), np.maximum(-duals[:-1], 0) / self._units(), shares

    def _units(self) -> NDArray[np.float64]:
        """Return what rows are divided by, so that numbers are about 1."""
        import numpy as np

        return np.array([max(abs(row.scale or row.limit), 1) for row in self.rows], np.float64)

    def _program(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return matrix, right side and costs: ``z``, a slack for each row, and the plans."""
        import numpy as np

        count, units = len(self.rows), self._units()
        scales = np.array([row.scale for row in self.rows], np.float64) / units
        taken = np.array([[total[row.resource] for row in self.rows] for total in self.totals])
        matrix = np.zeros((count + 1, 1 + count + len(self.totals)))
        matrix[:count, 0] = -scales
        matrix[:count, 1 : 1 + count] = np.eye(count)
        matrix[:count, 1 + count :] = taken.T / units[:, np.newaxis]
        matrix[count, 1 + count :] = 1
        right = np.append(np.array([row.limit for row in self.rows]) / units, 1)
        costs = np.zeros(matrix.shape[1])
        costs[0] = 1
        return matrix, right, costs

    def _first_basis(self, matrix: NDArray[np.float64], right: NDArray[np.float64]) -> list[int]:
        """Return the basis in which the first plan is all there is, and one row decides ``z``."""
        import numpy as np

        count = len(self.rows)
        taken = matrix[:count, 1 + count] - right[:count]
        scales = -matrix[:count, 0]
        z = np.where(scales > 0, taken / np.where(scales > 0, scales, 1), -np.inf)
        basis = list(range(1, count + 1))
        basis[int(z.argmax())] = 0
        return [*basis, 1 + count]
