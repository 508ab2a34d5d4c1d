"""The Jinja environment of the pages, which escapes whatever is filled in."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from lutloom.codegen.costs.resources import Confidence
from lutloom.core.counts import counted
from lutloom.reporting import charts
from lutloom.reporting.wording import breakable, count, share, shortened, shown, size

if TYPE_CHECKING:
    from jinja2 import Environment

RESOURCES = {"lut": "LUT", "ff": "FF", "bram18": "BRAM18", "uram": "URAM", "dsp": "DSP"}
"""What resources are called where there is little room."""


def rendered(template: str, **facts: object) -> str:
    """Return ``template`` filled in with ``facts``; whatever they hold stands there as text."""
    return _environment().get_template(template).render(facts)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_template),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(
        EXACT=Confidence.EXACT,
        RESOURCES=RESOURCES,
        breakable=breakable,
        chart_size=(charts.WIDTH, charts.HEIGHT),
        count=count,
        counted=counted,
        share=share,
        shortened=shortened,
        shown=shown,
        size=size,
    )
    return environment


def _template(path: str) -> str:
    return files("lutloom.reporting").joinpath("templates", path).read_text(encoding="utf-8")
