"""Files in an archive, read where they are: nothing is unpacked, so no path leads anywhere."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO, cast

from lutloom.qat.errors import DataError

# More than the largest file that is read from an archive has: one that claims more is hostile.
_LARGEST = 2**28
_CHUNK = 2**20


def read_members(archive: Path, names: Collection[str]) -> dict[str, bytes]:
    """Return the regular files of a tar archive, with gzip or without, that have these ``names``.

    Links in it are not followed, and what has another name is passed over. Raises
    :class:`DataError` if one of them is missing or too large, or the archive is damaged.
    """
    found: dict[str, bytes] = {}
    try:
        with _uncompressed(archive) as content:
            with tarfile.open(fileobj=content, mode="r|") as tar:
                for member in tar:
                    name = member.name.removeprefix("./")
                    if name not in names or not member.isreg():
                        continue
                    if member.size > _LARGEST:
                        raise DataError(
                            f"{archive} is damaged: {name} in it claims {member.size:,} bytes"
                        )
                    file = tar.extractfile(member)
                    assert file is not None
                    found[name] = file.read()
            while content.read(_CHUNK):  # at its end is the checksum
                pass
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{archive} is a damaged archive ({error}): fetch it again") from error
    except OSError as error:
        raise DataError(f"{archive} can't be read: {error.strerror or error}") from error
    missing = ", ".join(sorted(set(names) - set(found)))
    if missing:
        raise DataError(f"{archive} holds no {missing}: is it the right archive?")
    return found


def _uncompressed(archive: Path) -> BinaryIO:
    with archive.open("rb") as file:
        is_gzip = file.read(2) == b"\x1f\x8b"
    return cast("BinaryIO", gzip.open(archive)) if is_gzip else archive.open("rb")
