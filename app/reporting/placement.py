"""Places for the boxes of a small graph: layers from top to bottom, few crossings, straight lines.

A box is one layer below the lowest of its writers. An edge that passes layers by has a place in
each of them. Places in a layer are ordered by the mean of their neighbours' (Sugiyama, Tagawa and
Toda 1981), then moved as little as possible from that mean, by least squares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_SWEEPS = 8
_STRAIGHT = 8
"""How much more an edge that passes wants to be straight than a box to be above its readers."""


@dataclass(frozen=True)
class Placement:
    """The centre of each box and its layer, and where each edge passes: ``(x, layer)``."""

    x: tuple[int, ...]
    layer: tuple[int, ...]
    passes: tuple[tuple[tuple[int, int], ...], ...]
    width: int
    layers: int


@dataclass
class _Grid:
    """Boxes and places of edges, by number: what they are next to, and where."""

    widths: list[int]
    rows: list[list[int]]
    above: list[list[int]]
    below: list[list[int]]
    weight: list[int]
    x: list[float]


def place(
    widths: Sequence[int],
    edges: Sequence[tuple[int, int]],
    gap: int,
    lane: int,
    first: int = 0,
    last: int = 0,
) -> Placement:
    """Place boxes of ``widths``, joined by ``edges`` from lower to higher numbers.

    ``gap`` pixels are left beside each other, and an edge that passes is ``lane`` pixels wide. The
    ``first`` so many boxes lie above all others, the ``last`` so many below.
    """
    layer = _layers(len(widths), edges, first, last)
    grid = _Grid(
        list(widths),
        [[] for _ in range(max(layer, default=-1) + 1)],
        [[] for _ in widths],
        [[] for _ in widths],
        [1] * len(widths),
        [0.0] * len(widths),
    )
    for box, row in enumerate(layer):
        grid.rows[row].append(box)
    passing = [_lead(grid, edge, layer, lane) for edge in edges]
    _order(grid)
    _spread(grid, gap)
    left = min((grid.x[v] - grid.widths[v] / 2 for v in range(len(grid.x))), default=0.0)
    right = max((grid.x[v] + grid.widths[v] / 2 for v in range(len(grid.x))), default=0.0)
    x = [round(centre - left) for centre in grid.x]
    return Placement(
        tuple(x[: len(widths)]),
        tuple(layer),
        tuple(tuple((x[v], row) for v, row in places) for places in passing),
        round(right - left),
        len(grid.rows),
    )


def _layers(count: int, edges: Sequence[tuple[int, int]], first: int, last: int) -> list[int]:
    layer = [int(first > 0 and box >= first) for box in range(count)]
    for source, target in sorted(edges, key=lambda edge: edge[1]):
        layer[target] = max(layer[target], layer[source] + 1)
    fed = {target for _, target in edges}
    for box in range(first, count):
        readers = [layer[target] for source, target in edges if source == box]
        if box not in fed and readers:
            layer[box] = min(readers) - 1
    below = max(layer[: count - last], default=-1) + 1
    layer[count - last :] = [below] * last
    return layer


def _lead(
    grid: _Grid, edge: tuple[int, int], layer: Sequence[int], lane: int
) -> list[tuple[int, int]]:
    """Give ``edge`` a place in each layer that it passes; return them with their layers."""
    source, target = edge
    places: list[tuple[int, int]] = []
    last = source
    for row in range(layer[source] + 1, layer[target]):
        number = len(grid.x)
        grid.widths.append(lane)
        grid.weight.append(_STRAIGHT)
        grid.x.append(0.0)
        grid.above.append([last])
        grid.below.append([])
        grid.below[last].append(number)
        grid.rows[row].append(number)
        places.append((number, row))
        last = number
    grid.below[last].append(target)
    grid.above[target].append(last)
    return places


def _order(grid: _Grid) -> None:
    """Order layers by the mean place of the neighbours; keep the order with fewest crossings."""
    best, fewest = [list(row) for row in grid.rows], _crossings(grid)
    for sweep in range(_SWEEPS):
        if fewest == 0:
            break
        is_down = sweep % 2 == 0
        rows = grid.rows[1:] if is_down else grid.rows[-2::-1]
        for row in rows:
            place_of = _places(grid)
            near = grid.above if is_down else grid.below
            row.sort(key=lambda v: _mean([place_of[n] for n in near[v]], place_of[v]))
        crossings = _crossings(grid)
        if crossings < fewest:
            best, fewest = [list(row) for row in grid.rows], crossings
    grid.rows[:] = best


def _places(grid: _Grid) -> dict[int, float]:
    """Return where everything is in its layer, from 0 to 1."""
    return {v: (i + 1) / (len(row) + 1) for row in grid.rows for i, v in enumerate(row)}


def _mean(numbers: Sequence[float], otherwise: float) -> float:
    return sum(numbers) / len(numbers) if numbers else otherwise


def _crossings(grid: _Grid) -> int:
    found = 0
    for upper, lower in zip(grid.rows, grid.rows[1:], strict=False):
        place_of = {v: i for i, v in enumerate(lower)}
        ends = [place_of[t] for v in upper for t in sorted(grid.below[v], key=place_of.__getitem__)]
        found += sum(a > b for i, a in enumerate(ends) for b in ends[i + 1 :])
    return found


def _spread(grid: _Grid, gap: int) -> None:
    """Set the centres: as near to their neighbours' as there is room for."""
    for row in grid.rows:
        _settle(grid, row, [0.0] * len(row), gap)
    for sweep in range(2 * _SWEEPS):
        is_down = sweep % 2 == 0
        near = grid.above if is_down else grid.below
        for row in grid.rows if is_down else grid.rows[::-1]:
            wanted = [_mean([grid.x[n] for n in near[v]], grid.x[v]) for v in row]
            _settle(grid, row, wanted, gap)


def _settle(grid: _Grid, row: Sequence[int], wanted: Sequence[float], gap: int) -> None:
    """Move ``row`` to ``wanted``, at least ``gap`` apart: isotonic regression by adjacent pools."""
    offsets, offset = [], 0.0
    for index, v in enumerate(row):
        if index:
            offset += (grid.widths[row[index - 1]] + grid.widths[v]) / 2 + gap
        offsets.append(offset)
    pools: list[tuple[float, int, int]] = []  # mean, weight, members
    for v, x, before in zip(row, wanted, offsets, strict=True):
        mean, weight, members = x - before, grid.weight[v], 1
        while pools and pools[-1][0] > mean:
            other, heavy, more = pools.pop()
            mean = (mean * weight + other * heavy) / (weight + heavy)
            weight, members = weight + heavy, members + more
        pools.append((mean, weight, members))
    means = [mean for mean, _, members in pools for _ in range(members)]
    for v, mean, before in zip(row, means, offsets, strict=True):
        grid.x[v] = mean + before
