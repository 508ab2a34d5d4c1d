"""Files from the network: under its own name, a file is complete and the one that was published.

What has come before a break lies in ``.NAME.part``, with which the next attempt goes on.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from lutloom.core.files import OutputError, writing
from lutloom.qat.data.published import RemoteFile
from lutloom.qat.errors import DataError

Progress = Callable[[str, int, int], None]
"""Called with a file's name, the bytes that are there, and all of its bytes."""

_CHUNK = 2**16
_SECONDS = 30.0


class _FailedError(Exception):
    """One place did not give the file: the reason."""


def fetch(file: RemoteFile, folder: Path, progress: Progress | None = None) -> Path:
    """Return the path of ``file`` in ``folder``; if it is not there yet, download it.

    Its places are tried one after the other. Another process that wants the same file waits.

    Raises :class:`DataError` if no place gives it, for too little room on the disk, and for a file
    of its name that is another one; ``OutputError`` if ``folder`` can't be written to. After each
    of these and after Ctrl-C, what has come is gone on with the next time.
    """
    path = folder / file.name
    if path.is_file():
        return checked(path, file)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        if path.is_file():  # the process that had the lock has fetched it
            return checked(path, file)
        part = folder / f".{file.name}.part"
        _check_room(folder, file.size - _size(part))
        reasons = []
        for url in file.urls:
            try:
                _fetch_part(url, part, file, progress)
            except _FailedError as error:
                reasons.append(f"{url}: {error}")
                continue
            with writing(path):
                part.replace(path)
            return path
    raise DataError(
        f"{file.name} can't be downloaded ({'; '.join(reasons)}): try again, which goes on where it"
        f" broke off, or fetch it on another computer and put it into {folder}"
    )


def checked(path: Path, file: RemoteFile) -> Path:
    """Return ``path``, which should hold ``file``; raise :class:`DataError` if it does not."""
    try:
        if _is_whole(path, file):
            return path
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror or error}") from error
    raise DataError(
        f"{path} is not the file that was published, which has {file.size:,} bytes and the SHA-256 "
        f"{file.sha256}: delete it, and download it again"
    )


def _fetch_part(url: str, part: Path, file: RemoteFile, progress: Progress | None) -> None:
    """Complete ``part`` from ``url``, or raise ``_FailedError``."""
    while True:
        begun = _size(part)
        if begun < file.size:
            have = _receive(url, part, begun, file, progress)
            if have < file.size:
                raise _FailedError(f"it broke off after {have:,} of {file.size:,} bytes")
        if _is_whole(part, file):
            return
        with writing(part):
            part.unlink()
        if not begun:
            raise _FailedError("what came is not the file that was published")


def _receive(url: str, part: Path, begun: int, file: RemoteFile, progress: Progress | None) -> int:
    """Append to ``part``, which has ``begun`` bytes, what ``url`` gives; return its bytes then."""
    headers = {"User-Agent": "lutloom", "Accept-Encoding": "identity"}
    if begun:
        headers["Range"] = f"bytes={begun}-"
    request = Request(url, headers=headers)  # noqa: S310 - the places are our own constants
    have = begun
    try:
        with urlopen(request, timeout=_SECONDS) as response:  # noqa: S310
            goes_on = _goes_on(response, begun)
            have = begun if goes_on else 0
            with writing(part):
                out = part.open("ab" if goes_on else "wb")
            with out:
                while chunk := response.read(_CHUNK):
                    have += len(chunk)
                    if have > file.size:
                        raise _FailedError("what comes is longer than the file that was published")
                    with writing(part):
                        out.write(chunk)
                        out.flush()
                    if progress is not None:
                        progress(file.name, have, file.size)
    except OutputError:
        raise
    except HTTPError as error:
        error.close()
        raise _FailedError(f"{error.code} {error.reason}") from error
    except URLError as error:
        raise _FailedError(str(error.reason)) from error
    except (OSError, HTTPException) as error:
        raise _FailedError(
            f"it broke off after {have:,} of {file.size:,} bytes, {error or type(error).__name__}"
        ) from error
    return have


def _goes_on(response: HTTPResponse, begun: int) -> bool:
    """Return whether a server gives the rest that was asked for, and not the whole file."""
    rest: str = response.headers.get("Content-Range", "")
    return bool(begun) and rest.startswith(f"bytes {begun}-")


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _is_whole(path: Path, file: RemoteFile) -> bool:
    if path.stat().st_size != file.size:
        return False
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest() == file.sha256


def _check_room(folder: Path, wanted: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise DataError(
            f"{folder} has {free:,} bytes left, and {wanted:,} are to come: make room, or set "
            "XDG_CACHE_HOME to a folder on another disk"
        )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Be the only process that downloads into ``folder``."""
    path = folder / ".lock"
    with writing(path):
        file = path.open("w")
    with file:
        # Where a file system has no locks, checksums find what two processes wrote at a time.
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
