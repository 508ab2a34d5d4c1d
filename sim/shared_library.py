"""C++ compiled for this machine to a shared library, loaded, and kept by its contents."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path

from lutloom.sim.toolchain import CSimError, compiler_version, usable_cores

# On one core too: while one of them reads or writes, the other one computes.
_LEAST_COMPILERS = 2
_POLL_SECONDS = 0.01


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
    it, or where nothing can be written there, the library is temporary.

    Raises ``CSimError`` where the compiler can't be run, refuses the sources, or has made what
    can't be loaded.
    """
    if cache is None:
        return _temporary(name, compiler, options, sources)
    state = blake2b(digest_size=16)
    texts = (f"{file}\0{text}" for file, text in sources.items())
    for part in (compiler_version(compiler), *texts, key):
        state.update(part.encode() + b"\0")
    stem = f"{name}-{state.hexdigest()}"
    kept = _kept(cache, stem)
    if kept is None:
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with _alone(cache / f".{stem}.lock"):
                # Another process may have made it in the meantime.
                kept = _kept(cache, stem) or _made(name, cache, stem, compiler, options, sources)
        except OSError:  # a full disk, say: it is only not kept then
            return _temporary(name, compiler, options, sources)
    return _load(kept)


def _temporary(
    name: str, compiler: str, options: Sequence[str], sources: Mapping[str, str]
) -> tuple[ctypes.CDLL, Path]:
    with tempfile.TemporaryDirectory(prefix=f"lutloom-{name}-") as directory:
        # A library that is loaded no longer needs its file.
        return _load(compile_sources(compiler, options, sources, Path(directory)))


def _kept(cache: Path, stem: str) -> Path | None:
    """Return the library that is kept under ``stem``; none that is damaged."""
    libraries = cache.glob(f"{stem}-*.so")
    return next((library for library in libraries if library.stem.endswith(_digest(library))), None)


def _made(
    name: str,
    cache: Path,
    stem: str,
    compiler: str,
    options: Sequence[str],
    sources: Mapping[str, str],
) -> Path:
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=cache) as directory:
        made = compile_sources(compiler, options, sources, Path(directory))
        return made.replace(cache / f"{stem}-{_digest(made)}.so")


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Wait until no other process is between here and the end.

    Where files can't be locked, all go on: what they make is the same.
    """
    with lock.open("w") as file:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            # Whoever waits has the file open still; who comes later finds what was made.
            lock.unlink(missing_ok=True)


def compile_sources(
    compiler: str, options: Sequence[str], sources: Mapping[str, str], directory: Path
) -> Path:
    """Write ``sources`` to ``directory``, compile them, and return the shared library there.

    Headers among them, by their paths, come before those of the same path anywhere else.
    """
    waiting: list[list[str]] = []
    objects = []
    # The longest first, which are about those that take longest: none is left for the end.
    for name, text in sorted(sources.items(), key=lambda entry: -len(entry[1])):
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
    """Run compilers, one a core, with their own temporary files in ``directory``.

    None is left behind by a failure or by Ctrl-C.
    """
    waiting, running = list(commands), list[tuple[subprocess.Popen[bytes], Path]]()
    most = max(usable_cores(), _LEAST_COMPILERS)
    try:
        while waiting or running:
            while waiting and len(running) < most:
                errors = directory / f"errors-{len(waiting)}"
                running.append((_start(waiting.pop(0), errors, directory), errors))
            ended = [entry for entry in running if entry[0].poll() is not None]
            for process, errors in ended:
                _check_ended(process, errors)
                running.remove((process, errors))
            if not ended:
                time.sleep(_POLL_SECONDS)
    finally:
        for process, _ in running:
            # With the children that do the work: a killed driver would leave them behind.
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _start(command: list[str], errors: Path, directory: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "LC_ALL": "C", "TMPDIR": str(directory)}
    try:
        with errors.open("wb") as file:
            return subprocess.Popen(
                command,
                stdout=subprocess.DEVNULL,
                stderr=file,
                env=environment,
                process_group=0,
            )
    except OSError as error:
        raise CSimError(f"{command[0]} can't be run: {error}") from error


def _check_ended(process: subprocess.Popen[bytes], errors: Path) -> None:
    if process.returncode != 0:
        lines = errors.read_text(encoding="utf-8", errors="replace").splitlines()
        shown = "\n".join(lines[:12]) or f"it ended with {process.returncode}"
        raise CSimError(f"the C++ compiler refuses the generated sources:\n{shown}")
