"""Say early when the installation has gone stale, and settle how property tests draw."""

from __future__ import annotations

import os
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]

# The same examples every time, so that a red run is somebody's change and not somebody's luck.
settings.register_profile("ci", deadline=None, derandomize=True)
# New examples every time: HYPOTHESIS_PROFILE=fuzz
settings.register_profile("fuzz", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer what takes long."""
    parser.addoption(
        "--every-network",
        action="store_true",
        help="run every network that a test streamlines in the compiled engine as well",
    )


def pytest_configure(config: pytest.Config) -> None:
    """See that all sources are installed, and do what was asked for."""
    _check_installation()
    if config.getoption("--every-network"):
        from tests.every_network import compare_every_network

        compare_every_network()


def _check_installation() -> None:
    """Compare the sources with what is importable: an editable install links file by file."""
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    spec = find_spec("lutloom")
    if spec is None or not spec.submodule_search_locations:
        raise pytest.UsageError("lutloom is not installed: run `make dev`")
    installed = Path(spec.submodule_search_locations[0])
    for package, directory in setuptools["package-dir"].items():
        patterns = ("**/*.py", *setuptools["package-data"].get(package, ()))
        sources = {path for pattern in patterns for path in (ROOT / directory).glob(pattern)}
        for source in sorted(sources):
            parts = (*package.split(".")[1:], *source.relative_to(ROOT / directory).parts)
            if not installed.joinpath(*parts).exists():
                raise pytest.UsageError(
                    f"{source.relative_to(ROOT)} is not installed: run `make dev`"
                )
