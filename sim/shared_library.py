"""C++ compiled for this machine to a shared library, loaded, and kept by its contents."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path

from lutloom.sim.toolchain import CSimError, compiler_version

_PARALLEL_COMPILERS = 2


def load_library(
    name: str,
    sources: Mapping[str, str],
    options: Sequence[str],
    *,
    compiler: str,
    cache: Path | None,
    key: str,
) -> tuple[ctypes.CDLL, Path]:
    """Return the library of ``sources``, the text of each file by its path, and where it lay.

    ``cache`` is a directory that keeps libraries, safe to share: by ``name``, the compiler, the
    sources, and ``key``, which stands for all else that counts, but not for where it lies. Without
    it the library is temporary.

    Raises ``CSimError`` where the compiler can't be run, refuses the sources, or has made what
    can't be loaded.
    """
    if cache is None:
        with tempfile.TemporaryDirectory(prefix=f"lutloom-{name}-") as directory:
            # A library that is loaded no longer needs its file.
            return _load(compile_sources(compiler, options, sources, Path(directory)))
    state = blake2b(digest_size=16)
    texts = (f"{file}\0{text}" for file, text in sources.items())
    for part in (compiler_version(compiler), *texts, key):
        state.update(part.encode() + b"\0")
    stem = f"{name}-{state.hexdigest()}"
    for library in cache.glob(f"{stem}-*.so"):
        if library.stem.endswith(_digest(library)):  # else it is damaged
            return _load(library)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=cache) as directory:
        made = compile_sources(compiler, options, sources, Path(directory))
        return _load(made.replace(cache / f"{stem}-{_digest(made)}.so"))


def compile_sources(
    compiler: str, options: Sequence[str], sources: Mapping[str, str], directory: Path
) -> Path:
    """Write ``sources`` to ``directory``, compile them, and return the shared library there.

    Headers among them, by their paths, come before those of the same path anywhere else.
    """
    waiting: list[list[str]] = []
    objects = []
    for name, text in sources.items():
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        if file.suffix == ".cpp":
            objects.append(f"{file}.o")
            include = f"-I{directory}"
            waiting.append([compiler, include, *options, "-c", str(file), "-o", objects[-1]])
    _run(waiting, directory)
    library = directory / "library.so"
    _run([[compiler, "-shared", "-pthread", *objects, "-o", str(library)]], directory)
    if not library.is_file():
        raise CSimError(
            f"{compiler} can't be run: it says that all is well, and makes nothing; name another"
            " one with CXX"
        )
    return library


def _digest(library: Path) -> str:
    return blake2b(library.read_bytes(), digest_size=8).hexdigest()


def _load(library: Path) -> tuple[ctypes.CDLL, Path]:
    try:
        return ctypes.CDLL(str(library)), library
    except OSError as error:
        raise CSimError(f"the compiled C++ can't be loaded: {error}") from error


def _run(commands: list[list[str]], directory: Path) -> None:
    """Run compilers, a few at a time, with their own temporary files in ``directory``.

    None is left behind by a failure or by Ctrl-C.
    """
    waiting, running = list(commands), list[subprocess.Popen[str]]()
    try:
        while waiting or running:
            while waiting and len(running) < _PARALLEL_COMPILERS:
                running.append(_start(waiting.pop(0), directory))
            _finish(running[0])
            running.pop(0)
    finally:
        for process in running:
            # With the children that do the work: a killed driver would leave them behind.
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if process.stderr is not None:
                process.stderr.close()


def _start(command: list[str], directory: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "LC_ALL": "C", "TMPDIR": str(directory)}
    try:
        return subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=environment,
            process_group=0,
        )
    except OSError as error:
        raise CSimError(f"{command[0]} can't be run: {error}") from error


def _finish(process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate()
    if process.returncode != 0:
        shown = "\n".join(errors.splitlines()[:12]) or f"it ended with {process.returncode}"
        raise CSimError(f"the C++ compiler refuses the generated sources:\n{shown}")
