"""``lutloom recipes``: what there is to train."""

from __future__ import annotations

from typing import Annotated

import typer


def recipes(
    recipe: Annotated[
        str | None, typer.Argument(help="The name of one.", show_default=False)
    ] = None,
) -> None:
    """List the recipes for train, or print one: a file to begin with."""
    import lutloom
    from lutloom.training import recipe_text

    if recipe is not None:
        typer.echo(recipe_text(recipe), nl=False)
        return
    for name, found in lutloom.list_recipes().items():
        typer.echo(f"{name:20}{found.title}")
