"""Files and directories that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from lutloom.core.errors import LutloomError


class OutputError(LutloomError, OSError):
    """An output that can't be written, or that would overwrite what is there."""


_LARGEST_TEXT = 2**28


def read_text(path: Path, largest: int = _LARGEST_TEXT) -> str:
    """Return the text of a regular file of at most ``largest`` bytes, in UTF-8.

    Raises ``OSError`` also where reading would wait for somebody (a named pipe) or never end (a
    device), and ``UnicodeDecodeError`` (a ``ValueError``) for anything but text.
    """
    check_regular(path, largest)
    return path.read_text(encoding="utf-8")


def reason(error: OSError | ValueError) -> str:
    """Return why a text could not be read, in words, without the path."""
    match error:
        case UnicodeDecodeError():
            return f"it is no text in UTF-8 (byte {error.start:,})"
        case OSError(strerror=str() as words):
            return words
        case _:
            return str(error)


def check_regular(path: Path, largest: int) -> None:
    """Raise ``OSError`` unless ``path`` is a file of at most ``largest`` bytes."""
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "Is a directory", str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "No regular file", str(path))
    if status.st_size > largest:
        raise OSError(errno.EFBIG, f"Too large: {status.st_size:,} bytes", str(path))


def check_replaceable(path: Path) -> None:
    """Raise ``OutputError`` for what is there and no file, as it would be replaced: /dev/null.

    So would /dev/stdout, also where it leads to a file.
    """
    parent = Path(os.path.realpath(path.parent))
    is_device = parent == Path("/dev") or parent.is_relative_to("/proc")
    if is_device or (path.exists() and not path.is_file()):
        raise OutputError(f"{path} can't be written: it is no regular file")


def check_writable(path: Path) -> None:
    """Raise ``OutputError``, before hours go by, if nothing new can be put where ``path`` lies.

    Folders on the way there need not exist.
    """
    place = next(parent for parent in path.absolute().parents if parent.exists())
    if not place.is_dir():
        raise OutputError(f"{path} can't be written: {place} is no directory")
    if not os.access(place, os.W_OK | os.X_OK):
        raise OutputError(f"{path} can't be written: nothing may be written in {place}")


def write_file(path: Path, data: bytes, *, sync: bool = False) -> None:
    """Write ``data`` to ``path``, replacing a file there in one step.

    ``sync`` waits until the data are on the disk: what was there then survives a power cut too.
    Raises ``OutputError`` where that is impossible; what was there stays.
    """
    with whole_file(path, sync=sync) as file, writing(path):
        file.write(data)


def write_files(contents: Mapping[Path, bytes]) -> None:
    """Write several files, or none of them: raises ``OutputError`` as ``write_file`` does."""
    with ExitStack() as stack:
        for path, data in contents.items():
            file = stack.enter_context(whole_file(path))
            with writing(path):
                file.write(data)
                file.flush()


@contextmanager
def whole_file(path: Path, *, sync: bool = False) -> Iterator[BinaryIO]:
    """Yield a new file to fill, which becomes ``path``, or what that links to, if the block ends
    without an error.

    ``sync`` is that of ``write_file``. Raises ``OutputError`` where it can't be written; what was
    there stays then, and after Ctrl-C. Errors of the block's own writing are for it to name.
    """
    check_replaceable(path)
    target = Path(os.path.realpath(path))  # a link stays one
    temporary = _unused(target)  # known before it is there: Ctrl-C may come in between
    file: BinaryIO | None = None
    try:
        with writing(path):
            file = temporary.open("xb")
        yield file
        with writing(path):
            file.flush()
            if sync:
                os.fsync(file.fileno())
            file.close()
            temporary.replace(target)
    finally:
        with suppress(OSError):  # what could not be written was said before
            if file is not None:
                file.close()
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Make an ``OutputError`` that names ``path`` of what the system says of a write."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path} can't be written: {error.strerror or error}") from error


@contextmanager
def whole_directory(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yield a new directory to fill, which becomes ``path`` if the block ends without an error.

    ``replace`` allows ``path`` to exist; its old contents go when the new ones are complete.
    Raises ``OutputError`` if it exists otherwise, or can't be written; then nothing is left
    behind, nor after Ctrl-C.
    """
    if path.exists() and not replace:
        raise OutputError(f"{path} exists: choose another directory, or pass --force to replace it")
    if path.exists() and not path.is_dir():
        raise OutputError(f"{path} is no directory: choose another one")
    made = [parent for parent in path.parents if not parent.exists()]
    building = _unused(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        building.mkdir()
        yield building
        if path.exists():
            _swap(building, path)
        else:
            building.rename(path)
    except OSError as error:
        if isinstance(error, OutputError):
            raise OutputError(str(error).replace(str(building), str(path))) from error
        if isinstance(error, LutloomError):
            raise
        raise OutputError(f"{path} can't be written: {error.strerror or error}") from error
    finally:
        _remove(building)
        if not path.exists():
            with suppress(OSError):  # somebody else may have put something there
                for parent in made:
                    parent.rmdir()


@contextmanager
def directory_beside(path: Path) -> Iterator[Path]:
    """Yield a new directory next to ``path``, which is gone when the block ends, however it does.

    Raises ``OutputError`` where there can be none.
    """
    directory = _unused(path)
    try:
        with writing(path):
            directory.mkdir()
        yield directory
    finally:
        _remove(directory)


def _swap(building: Path, path: Path) -> None:
    """Put ``building`` in the place of ``path``, or leave ``path`` as it was."""
    aside = _unused(path)
    old = aside / path.name
    try:
        aside.mkdir()
        path.rename(old)
        building.rename(path)
    except BaseException:
        if old.exists() and not path.exists():
            old.rename(path)
        raise
    finally:
        if path.exists():
            _remove(aside)


def _remove(directory: Path) -> None:
    """Remove a directory and all that is in it, if it is there, also if Ctrl-C comes then."""
    try:
        shutil.rmtree(directory, ignore_errors=True)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise


def _unused(path: Path) -> Path:
    """Return a path next to ``path`` that nothing has, and that says whose it is."""
    return path.with_name(f".{path.name[:40]}.{secrets.token_hex(6)}")
