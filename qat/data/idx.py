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

from lutloom.qat.data.dataset import Dataset, Part, assemble
from lutloom.qat.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_BYTES = 0x08
_TRAIN, _TEST = "train", "t10k"
_IMAGES, _LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"
STEMS = tuple(f"{part}-{what}" for part in (_TRAIN, _TEST) for what in (_IMAGES, _LABELS))


def load_idx_folder(folder: Path) -> Dataset:
    """Return the data set whose four files lie in ``folder`` under the names of MNIST.

    ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte`` and
    ``t10k-labels-idx1-ubyte``, each plain or with the ending ``.gz``. Raises :class:`DataError` if
    one is missing or damaged, or if they don't belong together.
    """
    return load_idx_files(folder, [find_idx(folder, stem) for stem in STEMS])


def load_idx_files(folder: Path, files: Sequence[Path], name: str | None = None) -> Dataset:
    """Return the data set in four ``files`` of ``folder``, in the order of ``STEMS``.

    Raises :class:`DataError` as :func:`load_idx_folder` does.
    """
    train_x, train_y, test_x, test_y = files
    return assemble(folder, _read_part(train_x, train_y), _read_part(test_x, test_y), name=name)


def _read_part(images: Path, labels: Path) -> Part:
    return Part(read_idx(images, 3)[:, None], read_idx(labels, 1), str(images), labels.name)


def has_idx(folder: Path) -> bool:
    """Return whether one of the four files of a data set lies in ``folder``."""
    return any(path.is_file() for stem in STEMS for path in _spellings(folder, stem))


def find_idx(folder: Path, stem: str) -> Path:
    """Return the file ``stem`` in ``folder``: plain first, then with the ending ``.gz``.

    Raises :class:`DataError` if there is none. ``train-images.idx3-ubyte`` is read for
    ``train-images-idx3-ubyte``: archives differ in that.
    """
    for path in _spellings(folder, stem):
        if path.is_file():
            return path
    raise DataError(f"{folder} has no {stem} (nor {stem}.gz): put the IDX file there")


def _spellings(folder: Path, stem: str) -> Iterator[Path]:
    for spelling in (stem, stem.replace("-idx", ".idx")):
        for ending in ("", ".gz"):
            yield folder / (spelling + ending)


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
