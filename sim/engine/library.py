"""The engine's kernels, compiled for an instruction set on first use and kept for the next one."""

from __future__ import annotations

import ctypes
import functools
import os
from importlib.resources import files
from pathlib import Path

from lutloom.sim.engine.instruction_set import InstructionSet
from lutloom.sim.shared_library import load_library
from lutloom.sim.toolchain import find_compiler

# Products and sums in floating point are rounded one by one: so they have been proved.
_FLAGS = (
    *("-std=c++17", "-O3", "-ffp-contract=off", "-fPIC", "-fvisibility=hidden", "-pthread", "-w"),
)


def user_cache() -> Path | None:
    """Return where compiled kernels are kept: ``$XDG_CACHE_HOME/lutloom``; None without a home."""
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        root = Path(base) if base and Path(base).is_absolute() else Path.home() / ".cache"
    except RuntimeError:  # nobody's home
        return None
    return root / "lutloom"


def load_kernels(instructions: InstructionSet, compiler: str | None = None) -> ctypes.PyDLL:
    """Return the kernels for ``instructions``; compiles them where the cache does not have them.

    ``compiler`` is the C++ compiler, by default ``$CXX``, g++, clang++ or c++. Raises ``CSimError``
    where there is none, or where it refuses the kernels.
    """
    return _load(instructions, find_compiler(compiler))


@functools.cache
def _load(instructions: InstructionSet, command: str) -> ctypes.PyDLL:
    sources = {
        entry.name: entry.read_text(encoding="utf-8")
        for entry in sorted(files("lutloom.sim.engine").joinpath("native").iterdir(), key=str)
        if entry.name.endswith((".cpp", ".hpp"))
    }
    flags = [*_FLAGS, *instructions.options]
    try:
        library, _ = load_library(
            "engine", sources, flags, compiler=command, cache=user_cache(), key=" ".join(flags)
        )
    except OSError:  # a cache that can't be written
        library, _ = load_library(
            "engine", sources, flags, compiler=command, cache=None, key=" ".join(flags)
        )
    # Python's lock stays with who calls: the kernels give it away when they are about to take long.
    return _typed(ctypes.PyDLL("lutloom-engine", handle=library._handle))  # noqa: SLF001 - to share it


def _typed(library: ctypes.PyDLL) -> ctypes.PyDLL:
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    library.lutloom_kernel_words.argtypes = [ctypes.c_char_p]
    library.lutloom_kernel_words.restype = number
    library.lutloom_program_new.argtypes = [
        number, pointer, pointer, number, pointer, number, pointer, number, number,
    ]  # fmt: skip
    library.lutloom_program_new.restype = pointer
    library.lutloom_program_delete.argtypes = [pointer]
    library.lutloom_program_delete.restype = None
    arrays = ctypes.py_object
    library.lutloom_program_run.argtypes = [pointer, arrays, arrays, number, ctypes.c_int]
    library.lutloom_program_run.restype = ctypes.c_int
    return library
