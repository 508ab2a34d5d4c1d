"""IDX files, the format of MNIST: two zero bytes, the type, the rank, the sizes, the data.

All numbers are big-endian; the type of bytes is 0x08. A file may be compressed with gzip.
"""

from __future__ import annotations

import gzip
import zlib
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lutloom.qat.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BYTES = 0x08


def find_idx(folder: Path, stem: str) -> Path:
    """Return the file ``stem`` in ``folder``: plain first, then with the ending ``.gz``.

    Raises :class:`DataError` if there is none. ``train-images.idx3-ubyte`` is read for
    ``train-images-idx3-ubyte``: archives differ in that.
    """
    for spelling in (stem, stem.replace("-idx", ".idx")):
        for ending in ("", ".gz"):
            path = folder / (spelling + ending)
            if path.is_file():
                return path
    raise DataError(f"{folder} has no {stem} (nor {stem}.gz): put the IDX file there")


def read_idx(path: Path, rank: int) -> NDArray[np.uint8]:
    """Return the bytes of an IDX file as an array of ``rank`` dimensions.

    Raises :class:`DataError` if the file can't be read, is no IDX file of bytes, has another rank
    or is longer or shorter than its header says.
    """
    content = _content(path)
    header = 4 + 4 * rank
    if len(content) < header or content[:2] != b"\0\0":
        raise DataError(f"{path} is not an IDX file: its first bytes are {content[:4].hex(' ')}")
    if content[2] != _BYTES or content[3] != rank:
        raise DataError(
            f"{path} holds type 0x{content[2]:02x} in {content[3]} dimensions, "
            f"but unsigned bytes (0x08) in {rank} are needed: is it the right file?"
        )
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", rank, offset=4))
    if len(content) - header != prod(shape):
        raise DataError(
            f"{path} holds {len(content) - header} bytes of data, but its header promises "
            f"{prod(shape)} ({' x '.join(map(str, shape))}): fetch the file again"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _content(path: Path) -> bytes:
    try:
        if path.suffix != ".gz":
            return path.read_bytes()
        with gzip.open(path) as file:
            return file.read()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path} is a damaged gzip file ({error}): fetch it again") from error
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror or error}") from error
