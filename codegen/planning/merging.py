"""Fewer variables: those that have a single option left become part of a neighbour.

What they take, and what stands between them, is added to each option of the neighbour. Their
handles, which have one value each, become the neighbour's, so that other links stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.codegen.planning.problem import Problem, Variable, steps_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lutloom.core.types import IntArray


def merged(problem: Problem) -> tuple[Problem, tuple[int, ...]]:
    """Return ``problem`` without variables of a single option, and which ones of it are left.

    One stays where something that it is linked with may not be legal beside it.
    """
    hosts = _hosts(problem)
    left = sorted(set(hosts.values()))
    if len(left) == len(problem.variables):
        return problem, tuple(left)
    owner = {handle: hosts[variable] for handle, variable in problem.owner.items()}
    links = tuple(k for k in problem.links if owner[k.first] != owner[k.second])
    linked = {handle for link in links for handle in (link.first, link.second)}
    costs = {number: problem.variables[number].costs for number in left}
    handles = {number: dict(problem.variables[number].handles) for number in left}
    for number, host in hosts.items():
        if number != host:
            costs[host] = costs[host] + problem.variables[number].costs[0]
            for handle in problem.variables[number].handles.keys() & linked:
                handles[host][handle] = 0 * costs[host][:, 0]
    for link in problem.links:
        host = owner[link.first]
        if host == owner[link.second]:
            costs[host] = costs[host] + _within(problem, link.first, link.second, link.costs, host)
    places = {number: place for place, number in enumerate(left)}
    there = {handle for mine in handles.values() for handle in mine}
    sizes = {handle: size for handle, size in problem.sizes.items() if handle in there}
    variables = tuple(Variable(costs[number], handles[number]) for number in left)
    made = Problem(variables, links, sizes)
    order = [places[v] for v in (step.variable for step in problem.steps) if v in places]
    made.__dict__["steps"] = steps_of(made, order)
    return made, tuple(left)


def _within(problem: Problem, first: int, second: int, costs: IntArray, host: int) -> IntArray:
    """Return what a link within a group takes, by the options of its ``host``."""
    mine: Mapping[int, IntArray] = problem.variables[host].handles
    found: IntArray = costs[mine.get(first, 0), mine.get(second, 0)]
    return found


def _hosts(problem: Problem) -> dict[int, int]:
    """Return of which variable each becomes part: of itself, if it stays."""
    doubtful = {
        problem.owner[handle]
        for link in problem.links
        if not link.legal.all()
        for handle in (link.first, link.second)
    }
    neighbours: dict[int, set[int]] = {v: set() for v in range(len(problem.variables))}
    for link in problem.links:
        first, second = problem.owner[link.first], problem.owner[link.second]
        neighbours[first].add(second)
        neighbours[second].add(first)
    single = {v for v in neighbours if len(problem.variables[v].costs) == 1} - doubtful
    hosts = {v: v for v in neighbours if v not in single}
    for start in sorted(single):
        if start in hosts:
            continue
        group, around = {start}, [start]
        while around:
            new = (neighbours[around.pop()] & single) - group
            group |= new
            around += new
        beside = {n for member in group for n in neighbours[member]} - single
        hosts.update(dict.fromkeys(group, min(beside, default=start)))
    return hosts
