"""What was compared, stage by stage, and whether all agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from lutloom.console.layers import show_layers
from lutloom.console.terminal import console, plain, say, show, shown
from lutloom.core.counts import counted
from lutloom.tables import Column, Kind

if TYPE_CHECKING:
    from lutloom.verification import Check, Verification


def show_verification(result: Verification) -> None:
    """Print what was compared, where the report is, and the first comparison that failed."""
    show_checks(result)
    if result.page is not None:
        say("report", str(result.page))
    show_verdict(result)


def show_checks(result: Verification) -> None:
    """Print a row for each value, a column for each stage, and what is to be said of them."""
    from lutloom.verification import TITLES, meaning_of, stages_of, table_of

    stages, rows = table_of(result)
    columns = (Column(TITLES[stage], Kind.TEXT) for stage in stages)
    show(
        (Column("value", Kind.NAME), Column("numbers"), *columns),
        ((row.subject, f"{row.numbers:,}", *map(_verdict, row.checks)) for row in rows),
    )
    for stage in stages_of(result):
        say(TITLES[stage], meaning_of(stage, result))
    show_layers(result.layers)
    for check in result.checks:
        if check.remark:
            stage_title = TITLES.get(check.stage, check.stage.value)
            say(f"{shown(check.subject)} ({stage_title})", check.remark)


def show_verdict(result: Verification) -> None:
    """Print whether all stages agree, or which comparison was the first to fail."""
    from lutloom.verification import left_out

    if said := left_out(result):
        console.print(said)
    failure = result.first_failure
    if failure is None:
        console.print(f"[bold green]All stages agree on {counted(result.samples, 'image')}.[/]")
    else:
        subject, wrong = plain(shown(failure.subject)), failure.unexplained
        console.print(
            f"[bold red]{subject}: {failure.stage.value} differ in {wrong:,} of"
            f" {failure.elements:,}.[/]",
            soft_wrap=True,
        )


def _verdict(check: Check | None) -> Text:
    if check is None:
        return Text()
    colour = "green" if check.differing == 0 else "yellow" if check.passed else "bold red"
    return Text(check.verdict, colour)
