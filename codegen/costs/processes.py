"""What each kind of process takes: the registry of the modules that say of which parts it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from lutloom.codegen.costs import (
    add,
    border_threshold,
    concat,
    depthwise,
    duplicate,
    lookup,
    matmul,
    matvec,
    max_pool,
    multiply,
    permute,
    requantize,
    split,
    sum_pool,
    threshold,
    top_k,
    upsample,
    window,
)
from lutloom.codegen.costs.formulas import parts_cost
from lutloom.codegen.costs.parts import Parts, Single, apart
from lutloom.codegen.kernels.pixels import widely

if TYPE_CHECKING:
    from lutloom.boards.device import Device
    from lutloom.codegen.costs.resources import Cost
    from lutloom.codegen.kernels import Site
    from lutloom.core.plan import Folding

PARTS: Mapping[str, Callable[[Site, Folding, Device], Parts]] = MappingProxyType(
    {
        "add": widely(add.parts),
        "border_threshold": widely(border_threshold.parts),
        "concat": concat.parts,
        "depthwise": depthwise.parts,
        "duplicate": widely(duplicate.parts),
        "lookup": lookup.parts,
        "matmul": matmul.parts,
        "matvec": matvec.parts,
        "max_pool": max_pool.parts,
        "multiply": widely(multiply.parts),
        "permute": permute.parts,
        "requantize": widely(requantize.parts),
        "split": split.parts,
        "sum_pool": sum_pool.parts,
        "threshold": threshold.parts,
        "top_k": top_k.parts,
        "upsample": upsample.parts,
        "window": window.parts,
    }
)


def parts_of(site: Site, folding: Folding, device: Device) -> tuple[tuple[int, Single], ...]:
    """Return the parts of a process with a legal ``folding``, none of which are in groups."""
    return tuple(apart(PARTS[site.op.name](site, folding, device)))


def process_cost(site: Site, folding: Folding, device: Device) -> Cost:
    """Return what a process takes of ``device`` with a legal ``folding``.

    A form or a memory that the folding leaves open is the one that is taken then.
    """
    return parts_cost(PARTS[site.op.name](site, folding, device), device)
