"""Fill the templates of ``lutloom.hls_templates``: a template spells, its caller has the facts."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jinja2


def render(template: str, /, **facts: object) -> str:
    """Return the text of ``template``, a path below ``hls_templates``, filled with ``facts``.

    A fact that the template names and that is not given is an error, never an empty text.
    """
    return _environment().get_template(template).render(**facts)


def read_template(path: str) -> str | None:
    """Return the file ``path`` below ``hls_templates`` as it is, None if there is none."""
    resource = files("lutloom.hls_templates") / path
    return resource.read_text(encoding="utf-8") if resource.is_file() else None


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    # Not a PackageLoader: that one knows nothing of packages that are mapped to other folders.
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(read_template),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - C++, Tcl and Make, not HTML; names are made safe before
    )
