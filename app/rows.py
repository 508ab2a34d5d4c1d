"""Arrays ``[N, ...]`` that are read a few rows at a time: files may be larger than the memory.

A .npy file is mapped anew for every chunk, so that what was read does not stay; a member of a .npz
file is unpacked as it is read.
"""

from __future__ import annotations

import math
import sys
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lutloom.core.counts import counted
from lutloom.core.errors import DataFileError, LutloomError
from lutloom.core.files import check_regular

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO

    import numpy as np
    from numpy.typing import NDArray


_LARGEST_ARRAY = 2**32


@dataclass(frozen=True, eq=False)
class Rows:
    """An array ``[N, ...]`` of numbers, and the function that reads it.

    ``chunks(count, size)`` yields the first ``count`` rows, ``size`` at a time, the last time what
    is left; of no rows, once none. It raises ``DataFileError`` for a file that is damaged.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunks: Callable[[int, int], Iterator[NDArray[Any]]]

    @property
    def count(self) -> int:
        """How many rows there are."""
        return self.shape[0] if self.shape else 0

    @property
    def blank(self) -> NDArray[Any]:
        """An array of this shape and type that holds zeros, and takes no memory."""
        import numpy as np

        return np.broadcast_to(np.zeros((), self.dtype), self.shape)


def array_rows(array: NDArray[Any]) -> Rows:
    """Return ``array``, which is in memory, as rows."""

    def chunks(count: int, size: int) -> Iterator[NDArray[Any]]:
        for first, end in ends(count, size):
            yield array[first:end]

    return Rows(array.shape, array.dtype, chunks)


def npy_rows(path: Path, what: str) -> Rows:
    """Return the rows of a .npy file, ``what`` by its purpose.

    Raises ``DataFileError`` if the file is missing, or is no .npy file of numbers.
    """
    import numpy as np

    whole = map_npy(path, what)
    shape, dtype = whole.shape, whole.dtype

    def chunks(count: int, size: int) -> Iterator[NDArray[Any]]:
        for first, end in ends(count, size):
            mapped = map_npy(path, what)
            if (mapped.shape, mapped.dtype) != (shape, dtype):
                raise DataFileError(f"the {what} file {path} was changed while it was read")
            yield np.array(mapped[first:end])

    return Rows(shape, dtype, chunks)


def map_npy(path: Path, what: str) -> NDArray[Any]:
    """Return the array in a .npy file, not yet read; raises as ``npy_rows`` does."""
    import numpy as np

    with reading(path, what, ".npy", "numpy.save"):
        check_regular(path, sys.maxsize)
        # A header may claim any shape: mapped, it is compared with the size of the file.
        array = np.lib.format.open_memmap(path, mode="r")
    if array.dtype.kind not in "fiub":
        raise DataFileError(f"the {what} file {path} holds {array.dtype}, not numbers")
    return array


def npz_rows(path: Path, what: str) -> dict[str, Rows]:
    """Return the rows of every array in a .npz file, by name.

    Raises ``DataFileError`` if the file is missing, or is no .npz file of numbers.
    """
    found = {}
    with _reading_npz(path, what), zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            name = entry.filename.removesuffix(".npy")
            if name in found:
                raise ValueError(f"'{name}' is there twice")
            with archive.open(entry) as member:
                found[name] = _member_rows(path, what, entry, _header(member))
    return found


@dataclass(frozen=True, slots=True)
class _Header:
    """What a .npy file says of itself; its numbers begin at ``offset``."""

    shape: tuple[int, ...]
    is_fortran: bool
    dtype: np.dtype[Any]
    offset: int


def _header(file: IO[bytes]) -> _Header:
    import numpy as np

    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, is_fortran, dtype = np.lib.format.read_array_header_2_0(file)
    else:
        raise ValueError(f"an array has the version {version}")
    return _Header(shape, is_fortran, dtype, file.tell())


def _member_rows(path: Path, what: str, entry: zipfile.ZipInfo, header: _Header) -> Rows:
    """Return the rows of one array in a .npz file."""
    import numpy as np

    name, dtype, row = entry.filename.removesuffix(".npy"), header.dtype, header.shape[1:]
    if dtype.kind not in "fiub":
        raise DataFileError(f"{name} in the {what} file {path} holds {dtype}, not numbers")
    taken = math.prod(header.shape) * dtype.itemsize
    if min((0, *header.shape)) < 0 or header.offset + taken != entry.file_size:
        size = counted(entry.file_size, "byte")
        raise ValueError(f"'{name}' has {size}, but {list(header.shape)}")

    def chunks(count: int, size: int) -> Iterator[NDArray[Any]]:
        with zipfile.ZipFile(path) as archive, archive.open(entry) as member:
            member.read(header.offset)
            for first, end in ends(count, size):
                wanted = (end - first) * math.prod(row) * dtype.itemsize
                numbers = member.read(wanted)
                if len(numbers) != wanted:
                    raise ValueError(f"'{name}' ends too early")
                yield np.frombuffer(numbers, dtype).reshape(end - first, *row)

    def whole(count: int, size: int) -> Iterator[NDArray[Any]]:
        if entry.file_size > _LARGEST_ARRAY:  # its rows lie all over it
            raise ValueError(f"'{name}' is larger than 4 GB, and not in C order")
        with zipfile.ZipFile(path) as archive, archive.open(entry) as member:
            array = np.lib.format.read_array(member, allow_pickle=False)
        yield from array_rows(array).chunks(count, size)

    def named(count: int, size: int) -> Iterator[NDArray[Any]]:
        with _reading_npz(path, what):
            yield from (whole if header.is_fortran else chunks)(count, size)

    return Rows(header.shape, dtype, named)


def ends(count: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield where each of the chunks of ``count`` rows begins and ends."""
    for first in range(0, max(count, 1), size):
        yield first, min(first + size, count)


@contextmanager
def _reading_npz(path: Path, what: str) -> Iterator[None]:
    with reading(path, what, ".npz", "numpy.savez"):
        check_regular(path, sys.maxsize)
        yield


@contextmanager
def reading(path: Path, what: str, kind: str, function: str) -> Iterator[None]:
    """Make a ``DataFileError`` of what goes wrong while a file of some ``kind`` is read."""
    try:
        yield
    except LutloomError:
        raise
    except FileNotFoundError as error:
        raise DataFileError(f"the {what} file {path} does not exist") from error
    except OSError as error:
        raise DataFileError(
            f"the {what} file {path} can't be read ({error.strerror or error}): name a {kind} file"
        ) from error
    except Exception as error:  # zipfile and NumPy raise whatever their parts do
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataFileError(
            f"the {what} file {path} is no {kind} file of numbers ({reason}); save it with"
            f" {function}"
        ) from error
