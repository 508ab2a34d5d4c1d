"""Libraries that are compiled once, whoever asks for them, and as many compilers as cores."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from lutloom.sim.shared_library import load_library
from lutloom.sim.toolchain import CSimError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")


def counting_compiler(directory: Path) -> str:
    """Return a compiler that leaves a line in ``calls`` for every call."""
    path = directory / "counting"
    path.write_text(f'#!/bin/sh\necho "$*" >> "{directory}/calls"\nexec g++ "$@"\n')
    path.chmod(0o755)
    return str(path)


def test_what_several_ask_for_at_once_is_compiled_once(tmp_path: Path) -> None:
    compiler, cache = counting_compiler(tmp_path), tmp_path / "cache"
    sources = {"one.cpp": 'extern "C" int one() { return 1; }'}

    def load(_: int) -> int:
        library, _path = load_library(
            "test", sources, ["-fPIC"], compiler=compiler, cache=cache, key=""
        )
        return int(library.one())

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(load, range(4))) == [1] * 4
    calls = (tmp_path / "calls").read_text().splitlines()
    assert sum("-c" in call.split() for call in calls) == 1
    assert [path.suffix for path in cache.iterdir()] == [".so"]


def test_one_refused_source_among_many_is_the_error_that_is_shown(tmp_path: Path) -> None:
    sources = {f"f{i}.cpp": f"int f{i}() {{ return {i}; }}" for i in range(5)}
    sources["wrong.cpp"] = "int f() { return wrong_name; }"
    with pytest.raises(CSimError, match=r"refuses the generated sources:\n(.*\n)*.*wrong_name"):
        load_library("test", sources, ["-fPIC"], compiler="g++", cache=tmp_path, key="")
    assert not [*tmp_path.iterdir()]


def test_a_cache_that_can_not_be_written_keeps_nothing_and_stops_nobody(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.write_text("a file")
    sources = {"one.cpp": 'extern "C" int one() { return 1; }'}
    library, _ = load_library("test", sources, ["-fPIC"], compiler="g++", cache=cache, key="")
    assert library.one() == 1
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
