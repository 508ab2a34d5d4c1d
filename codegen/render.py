"""The Jinja environment: templates decide the spelling, Python decides the facts."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from lutloom.core.counts import counted

if TYPE_CHECKING:
    from jinja2 import Environment


def resource(path: str) -> str:
    """Return the text of ``path`` under ``hls_templates/``: a template or a C++ header."""
    return files("lutloom.hls_templates").joinpath(path).read_text(encoding="utf-8")


def render(template: str, **facts: object) -> str:
    """Return ``template`` (a path under ``hls_templates/``) filled in with ``facts``.

    A name that the template uses and ``facts`` lacks is an error of Jinja's.
    """
    return environment().get_template(template).render(facts)


@cache
def environment() -> Environment:
    """Return the environment in which all generated files are rendered."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    # Nothing that is rendered is HTML.
    made = Environment(  # noqa: S701
        loader=FunctionLoader(resource),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals["counted"] = counted
    return made
