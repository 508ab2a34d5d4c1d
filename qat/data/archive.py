"""Files in an archive, read where they are: nothing is unpacked, so no path leads anywhere."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Collection
from pathlib import Path

from lutloom.qat.errors import DataError

# More than the largest file that is read from an archive has: one that claims more is hostile.
_LARGEST = 2**28


def read_members(archive: Path, names: Collection[str]) -> dict[str, bytes]:
    """Return the regular files of a tar archive, compressed or not, that have these ``names``.

    Links in it are not followed, and what has another name is passed over. Raises
    :class:`DataError` if one of them is missing or too large, or the archive is damaged.
    """
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(archive, "r|*") as tar:
            for member in tar:
                name = member.name.removeprefix("./")
                if name not in names or name in found or not member.isreg():
                    continue
                if member.size > _LARGEST:
                    raise DataError(
                        f"{archive} is damaged: {name} in it claims {member.size:,} bytes"
                    )
                file = tar.extractfile(member)
                assert file is not None
                found[name] = file.read()
                if len(found) == len(names):
                    return found
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise DataError(f"{archive} is a damaged archive ({error}): fetch it again") from error
    except OSError as error:
        raise DataError(f"{archive} can't be read: {error.strerror or error}") from error
    missing = ", ".join(sorted(set(names) - set(found)))
    raise DataError(f"{archive} holds no {missing}: is it the right archive?")
