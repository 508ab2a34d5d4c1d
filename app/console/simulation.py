"""How fast a build ran over a data set, and how good it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.console.terminal import console, plain
from lutloom.core.counts import counted

if TYPE_CHECKING:
    from lutloom.simulation import Simulation

_FEW_CLASSES = 10


def show_simulation(result: Simulation) -> None:
    """Print how fast it was and how good, and what is not as it should be."""
    from lutloom.confusion_table import confused_classes

    images = result.images
    rate = images / result.seconds if result.seconds else 0.0
    console.print(f"{counted(images, 'image')} in {result.seconds:.2f} s ({rate:,.0f} a second)")
    if result.scores is not None and result.accuracy is not None:
        console.print(
            f"{result.correct:,} of {counted(images, 'label')} met ({result.accuracy:.2%})"
        )
        if result.classes > _FEW_CLASSES:
            within = result.scores.within(5)
            console.print(f"{within:,} among the five largest outputs ({within / images:.2%})")
        confused = confused_classes(result, console.width)
        if confused is not None:
            console.print(confused)
    if result.difference is not None:
        console.print(f"[bold red]{plain(str(result.difference))}[/]", soft_wrap=True)
    if not result.is_good_enough:
        least = result.min_accuracy or 0.0
        console.print(f"[bold red]The accuracy should be at least {least:.2%}.[/]")
