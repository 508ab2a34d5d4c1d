"""Files and directories that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from lutloom.core.errors import LutloomError


class OutputError(LutloomError, OSError):
    """An output that can't be written, or that would overwrite what is there."""


_LARGEST_TEXT = 2**28


def read_text(path: Path) -> str:
    """Return the text of a regular file, in UTF-8.

    Raises ``OSError`` also where reading would wait for somebody (a named pipe) or never end (a
    device), and ``UnicodeDecodeError`` (a ``ValueError``) for anything but text.
    """
    check_regular(path, _LARGEST_TEXT)
    return path.read_text(encoding="utf-8")


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
    """Raise ``OutputError`` for what is there and no file, as it would be replaced: /dev/null."""
    if path.exists() and not path.is_file():
        raise OutputError(f"{path} can't be written: it is no regular file")


def write_file(path: Path, data: bytes, *, sync: bool = False) -> None:
    """Write ``data`` to ``path``, replacing a file there in one step.

    ``sync`` waits until the data are on the disk: what was there then survives a power cut too.
    Raises ``OutputError`` where that is impossible; what was there stays.
    """
    with whole_file(path, sync=sync) as file, writing(path):
        file.write(data)


@contextmanager
def whole_file(path: Path, *, sync: bool = False) -> Iterator[BinaryIO]:
    """Yield a new file to fill, which becomes ``path`` if the block ends without an error.

    ``sync`` is that of ``write_file``. Raises ``OutputError`` where it can't be written; what was
    there stays then, and after Ctrl-C. Errors of the block's own writing are for it to name.
    """
    check_replaceable(path)
    temporary: Path | None = None
    file: BinaryIO | None = None
    try:
        with writing(path):
            handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
        temporary = Path(name)
        file = os.fdopen(handle, "wb")
        yield file
        with writing(path):
            file.flush()
            if sync:
                os.fsync(file.fileno())
            file.close()
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
    finally:
        if file is not None:
            with suppress(OSError):  # what could not be written was said before
                file.close()
        if temporary is not None:
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
    building: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{path.name[:40]}.", dir=path.parent))
        building.chmod(0o777 & ~_umask())
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
        if building is not None and building.exists():
            shutil.rmtree(building, ignore_errors=True)


def _swap(building: Path, path: Path) -> None:
    """Put ``building`` in the place of ``path``, or leave ``path`` as it was."""
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name[:40]}.old.", dir=path.parent))
    old = aside / path.name
    try:
        path.rename(old)
        building.rename(path)
    except BaseException:
        if old.exists() and not path.exists():
            old.rename(path)
        raise
    finally:
        if path.exists():
            shutil.rmtree(aside, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
