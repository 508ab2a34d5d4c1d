"""The pytest plugin: the fixture ``lutloom_design``, there wherever lutloom is installed.

    def test_the_design(lutloom_design):
        design = lutloom_design("build/cnv", "images.npy", labels="labels.npy")
        design.assert_exact()
        design.assert_accuracy(at_least=0.84)

pytest loads this module at each of its starts: so it imports nothing of ours before it is used.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from lutloom.build import Build
    from lutloom.data import ArraySource, DataSource
    from lutloom.image_folder import Pixels
    from lutloom.testing import Design


class MakeDesign(Protocol):
    """The type of ``lutloom_design``, for tests that are type-checked."""

    def __call__(
        self,
        source: str | Path | Build,
        data: DataSource | None = None,
        *,
        labels: ArraySource | None = None,
        pixels: Pixels | None = None,
        **options: Any,  # noqa: ANN401 - those of compile
    ) -> Design:
        """Return the design of ``source``: the directory of a build, or a model to compile.

        ``data``, ``labels`` and ``pixels`` are what ``lutloom.simulate`` takes; ``options`` are
        those of ``lutloom.compile``. A model is compiled once a session for the same options.
        """


@pytest.fixture(scope="session")
def lutloom_design(tmp_path_factory: pytest.TempPathFactory) -> MakeDesign:
    """Make a design to assert things about: ``lutloom_design("build/cnv", "images.npy")``.

    Then ``assert_exact()``, ``assert_accuracy(at_least=0.84)``, ``assert_outputs("before.npy")``.
    """
    compiled: dict[tuple[Path, str], Build] = {}

    def make(
        source: str | Path | Build,
        data: DataSource | None = None,
        *,
        labels: ArraySource | None = None,
        pixels: Pixels | None = None,
        **options: Any,  # noqa: ANN401 - those of compile
    ) -> Design:
        import lutloom
        from lutloom.testing import Design

        if isinstance(source, lutloom.Build):
            return Design(source, data, labels, pixels)
        path = Path(source)
        if path.is_dir() and not options:
            return Design(lutloom.load_build(path), data, labels, pixels)
        key = (path.resolve(), repr(sorted(options.items())))
        if key not in compiled:
            directory = tmp_path_factory.mktemp("lutloom") / "build"
            compiled[key] = lutloom.compile(path, directory, **options)
        return Design(compiled[key], data, labels, pixels)

    return make
