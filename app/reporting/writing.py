"""``report``: what a build is and takes, as a page for people and as JSON for programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lutloom.build import Build, check_output, load_build
from lutloom.core.files import OutputError, check_replaceable, write_files

if TYPE_CHECKING:
    from lutloom.reporting.facts import Facts

PAGE, DOCUMENT = "report.html", "report.json"


def report(build: str | Path | Build, output: str | Path | None = None) -> Path:
    """Write the report of ``build``, and return the path of its page.

    That is ``output``, a .html file, or ``report.html`` in the build; the same facts as JSON are
    beside it. What ``verify`` found last, and what ``evidence.json`` in the build says, is in it.

    Raises a ``LutloomError`` for a directory that is no build or whose plan was edited, and for
    evidence that can't be read.
    """
    from lutloom.build import changes, check_planned
    from lutloom.reporting.facts import facts_of

    loaded = build if isinstance(build, Build) else load_build(build)
    check_planned(loaded.directory, changes(loaded.directory))
    page = loaded.directory / PAGE if output is None else Path(output)
    if page.suffix != ".html":
        raise OutputError(f"{page} should be a .html file, as every report is")
    if not page.parent.is_dir():
        raise OutputError(f"{page} can't be written: it should be a file in a directory")
    for path in (page, page.with_suffix(".json")):
        check_replaceable(path)
        check_output(path, loaded.directory)
    _write(facts_of(loaded), page)
    return page


def write_build_report(build: Build, directory: Path) -> None:
    """Write the report of ``build``, whose files are in ``directory``, there."""
    from lutloom.reporting.facts import facts_of

    _write(facts_of(build, directory), directory / PAGE)


def _write(facts: Facts, page: Path) -> None:
    from lutloom.reporting.documents import document
    from lutloom.reporting.pages import report_page

    write_files({page: report_page(facts).encode(), page.with_suffix(".json"): document(facts)})
