"""What a process may be with channels added: of each group a few numbers of them.

Candidates for C channels are the next multiples of 2, 4, 8, 16 and 32 that add no more than an
eighth, or two. Those are left out that make no number of lanes any faster than some real one does,
of as many lanes or fewer; and of those with fewer divisors than a smaller one all but multiples of
8, up to 128 channels: a wider layer has more foldings than anybody needs, and each takes time to
count. Where C is a multiple of 8, it stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

from lutloom.codegen.kernels import Site
from lutloom.codegen.kernels.kernel import divisors
from lutloom.codegen.padding import Padding, most_channels
from lutloom.codegen.streams import processes_of, site_of

if TYPE_CHECKING:
    from lutloom.core.graph import Graph, Node

_FACTORS = (2, 4, 8, 16, 32)
_ENOUGH, _WIDE = 8, 128
_SHARE, _FEW = 8, 2


def candidates(channels: int) -> tuple[int, ...]:
    """Return how many channels a group of so many may be planned with, its own number first.

    >>> candidates(593)
    (593, 594, 600)
    """
    if channels % _ENOUGH == 0:
        return (channels,)
    most = min(channels + max(channels // _SHARE, _FEW), most_channels(channels))
    wider = {-(-channels // factor) * factor for factor in _FACTORS}
    found = [channels]
    for count in sorted(wider):
        has_more = len(divisors(count)) > max(len(divisors(other)) for other in found)
        is_round = count % _ENOUGH == 0 and count <= _WIDE
        if channels < count <= most and (has_more or is_round) and _is_of_use(count, channels):
            found.append(count)
    return tuple(found)


def _is_of_use(count: int, channels: int) -> bool:
    """Return whether some lanes take ``count`` channels in fewer words than ``channels`` ones."""
    return any(
        count // lanes < min(channels // fewer for fewer in divisors(channels) if fewer <= lanes)
        for lanes in divisors(count)
    )


@dataclass(frozen=True)
class Variant:
    """A process with so many ``channels`` at each of its ports: inputs, then outputs.

    They are 0 of what can't have more than the model's, which a reshape may count anew. ``added``
    are those of its groups that have more, by name.
    """

    site: Site
    channels: tuple[int, ...]
    added: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class Variants:
    """What all processes of a lowered graph may be."""

    graph: Graph

    @cached_property
    def _padding(self) -> Padding:
        return Padding.of(self.graph, {})

    @cached_property
    def _group_of(self) -> dict[str, str]:
        return {v: name for name, group in self._padding.groups.items() for v in group.values}

    def channels_of(self, value: str) -> int:
        """Return how many channels the group of ``value`` has in the model."""
        return self._padding.groups[self._group_of[value]].channels

    @cached_property
    def of(self) -> dict[str, tuple[Variant, ...]]:
        """The variants of each process by name, in order; the first is the model's own."""
        return {name: self._of(node) for name, node in processes_of(self.graph).items()}

    def _of(self, node: Node) -> tuple[Variant, ...]:
        values = (*node.inputs, *node.results)
        groups = [self._padding.groups[self._group_of[value]] for value in values]
        choices = {
            group.name: candidates(group.channels) if group.obstacle is None else (group.channels,)
            for group in groups
        }
        made = []
        for counts in product(*choices.values()):
            chosen = dict(zip(choices, counts, strict=True))
            ports = tuple(0 if g.obstacle is not None else chosen[g.name] for g in groups)
            own = {group.name: group.channels for group in groups}
            added = {name: count for name, count in chosen.items() if count > own[name]}
            made.append(Variant(self._site(node, added), ports, added))
        return tuple(made)

    def _site(self, node: Node, added: Mapping[str, int]) -> Site:
        if not added:
            return site_of(self.graph, node)
        padding = Padding(self.graph, self._padding.groups, added, self._padding.zeroed)
        runs = {
            value: padding.run(self._group_of[value]) for value in (*node.inputs, *node.results)
        }
        ins, outs = (
            tuple(runs[value].widened(self.graph.types[value]) for value in values)
            for values in (node.inputs, node.results)
        )
        return Site(padding.node(node, runs).op, ins, outs)
