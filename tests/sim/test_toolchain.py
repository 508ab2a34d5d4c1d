from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lutloom.sim import toolchain
from lutloom.sim.toolchain import CSimError, compiler_version, find_ap_headers, find_compiler

if TYPE_CHECKING:
    from pathlib import Path


def executable(path: Path, text: str = "#!/bin/sh\necho fake 1.0\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_the_compiler_is_what_cxx_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mine = executable(tmp_path / "mine")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CXX", "mine")
    assert find_compiler() == str(mine)
    assert compiler_version(str(mine)) == "fake 1.0"
    executable(tmp_path / "g++")
    assert find_compiler() == str(mine)
    monkeypatch.delenv("CXX")
    assert find_compiler() == str(tmp_path / "g++")


def test_a_missing_compiler_is_an_error_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(
        CSimError, match=r"^there is no C\+\+ compiler, neither g\+\+ nor clang\+\+"
    ):
        find_compiler()
    monkeypatch.setenv("CXX", "icpc")
    with pytest.raises(
        CSimError, match=r"^the C\+\+ compiler icpc is what CXX says, but not on the"
    ):
        find_compiler()
    with pytest.raises(
        CSimError, match=r"^the C\+\+ compiler tcc is not on the path: name another"
    ):
        find_compiler("tcc")


def test_the_headers_of_vitis_are_preferred(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    include = tmp_path / "include"
    include.mkdir()
    (include / "ap_int.h").touch()
    monkeypatch.setenv("XILINX_HLS", str(tmp_path))
    assert find_ap_headers() == include


def test_missing_headers_are_an_error_that_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XILINX_HLS", str(tmp_path))
    monkeypatch.delenv("XILINX_VITIS", raising=False)
    monkeypatch.setattr(toolchain, "find_spec", lambda _name: None)
    with pytest.raises(CSimError, match=r"pip install 'lutloom\[csim\]'$"):
        find_ap_headers()
