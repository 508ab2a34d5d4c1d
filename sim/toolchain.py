"""What simulations need of this machine: a C++ compiler, and the headers of ``ap_int``."""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from lutloom.core.errors import LutloomError


class CSimError(LutloomError, RuntimeError):
    """C simulation that can't be built, or that found the design to be wrong."""

    has_lines = True


def usable_cores() -> int:
    """Return how many cores this process may use, of those that the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def find_compiler(compiler: str | None = None) -> str:
    """Return the C++ compiler: ``compiler``, else ``$CXX``, else g++, clang++ or c++ on the path.

    Raises ``CSimError`` where there is none.
    """
    wanted = compiler or os.environ.get("CXX")
    if wanted:
        found = shutil.which(wanted)
        if found is None:
            origin = "is not on the path" if compiler else "is what CXX says, but not on the path"
            raise CSimError(f"the C++ compiler {wanted} {origin}: name another one")
        return found
    for name in ("g++", "clang++", "c++"):
        found = shutil.which(name)
        if found is not None:
            return found
    raise CSimError(
        "there is no C++ compiler, neither g++ nor clang++ nor c++ is on the path:"
        " install one (Debian and Ubuntu: apt-get install g++), or set CXX"
    )


def compiler_version(compiler: str) -> str:
    """Return the first line of what ``compiler --version`` prints."""
    try:
        done = subprocess.run(
            [compiler, "--version"], capture_output=True, text=True, check=True, timeout=60
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise CSimError(f"{compiler} can't be run: {error}") from error
    return done.stdout.partition("\n")[0]


def find_ap_headers() -> Path:
    """Return the directory of ``ap_int.h``: a Vitis installation's, else that of hls4ml's wheel.

    Raises ``CSimError`` where there is neither.
    """
    for variable in ("XILINX_HLS", "XILINX_VITIS"):
        root = os.environ.get(variable)
        if root and (Path(root) / "include" / "ap_int.h").is_file():
            return Path(root) / "include"
    # Found, not imported: importing hls4ml takes seconds, and its dependencies.
    spec = find_spec("hls4ml")
    for location in (spec.submodule_search_locations or []) if spec is not None else []:
        headers = Path(location) / "templates" / "vivado" / "ap_types"
        if (headers / "ap_int.h").is_file():
            return headers
    raise CSimError(
        "C simulation needs the headers of ap_int, and there is neither a Vitis installation"
        " (XILINX_HLS) nor hls4ml, whose wheel ships them: pip install 'lutloom[csim]'"
    )
