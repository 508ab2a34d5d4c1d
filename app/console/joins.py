"""What it costs where results meet, one join a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lutloom.console.terminal import say, show
from lutloom.tables import Column, Kind

if TYPE_CHECKING:
    from lutloom.joins import Join


def show_joins(joins: Sequence[Join], when: str) -> None:
    """Print what it costs where results meet, if they do."""
    if not joins:
        return
    say("where results meet", f"factors, and what adds and multiplies {when}")
    factors = [
        ", ".join(f"{bits} bit" if bits else "1" for bits in join.multiplier_bits) or "results"
        for join in joins
    ]
    show(
        (
            Column("join", Kind.NAME),
            Column("factors", Kind.WORDS),
            Column("bits"),
            Column("integers", Kind.TEXT),
            *map(Column, ("adders", "multipliers")),
        ),
        (
            (
                join.name,
                words,
                str(join.bits),
                "exact" if join.is_exact else "smaller",
                *(f"{count:,}" if count else "" for count in (join.adders, join.multipliers)),
            )
            for join, words in zip(joins, factors, strict=True)
        ),
    )
