"""Where results of the network meet, and what that costs: sums, products, concatenations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lutloom.core.graph import Node
    from lutloom.core.network import Network
    from lutloom.core.plan import Plan


@dataclass(frozen=True, slots=True)
class Join:
    """One operator that combines results, and its arithmetic.

    Scales that are equal, as those of a shared quantizer are, need no multipliers.
    """

    name: str
    operator: str
    inputs: tuple[str, ...]
    multiplier_bits: tuple[int, ...]
    """Of a sum: how wide the magnitudes are that each input is multiplied by, 0 for signs. A
    concatenation multiplies nothing: its channels keep their scales."""
    bits: int
    """Of its results."""
    is_exact: bool
    """Whether its integers stand for the model's own numbers. Else only quantizers read them, and
    the multipliers are smaller ones that are proved to give the same levels for all inputs."""
    adders: int
    """For one result; with a plan, all that work in each cycle."""
    multipliers: int
    """As above: of two results, or by constants that are no powers of two."""


def joins_of(network: Network, plan: Plan | None = None) -> tuple[Join, ...]:
    """Return where results of ``network`` meet, and what works for one result, or in a cycle."""
    found = (_join(network, node, plan) for node in network.graph.nodes)
    return tuple(join for join in found if join is not None)


def _join(network: Network, node: Node, plan: Plan | None) -> Join | None:
    from lutloom.core.ops import Add, Concat, MatMul, Multiply

    types = network.graph.types
    folding = None if plan is None else plan.foldings.get(node.name)
    lanes, simd = (1, None) if folding is None else (folding.pe * folding.pixels, folding.simd)
    widths: tuple[int, ...] = ()
    match node.op:
        case Add():
            rows = abs(node.op.multipliers.int64)
            widths = tuple(int(m).bit_length() if m > 1 else 0 for m in rows.max(axis=1))
            adders = len(rows) - 1
            multipliers = int(((rows & (rows - 1)) != 0).any(axis=1).sum())
        case Concat():
            widths = (0,) * len(node.inputs)
            adders = multipliers = 0
        case Multiply():
            adders, multipliers = 0, 1
        case MatMul():
            multipliers = types[node.inputs[0]].shape[-1] if simd is None else simd
            adders = multipliers - (simd is None)  # a sum that goes on needs one more
        case _:
            return None
    return Join(
        node.name,
        node.op.name,
        node.inputs,
        widths,
        types[node.name].element.bits,
        node.name in network.meaning or not isinstance(node.op, Add),
        lanes * adders,
        lanes * multipliers,
    )
