"""Arrays that users pass: as such, or as the path of a .npy file.

For several inputs of a model they go by its names: a mapping, or the path of a .npz file.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from lutloom.core.counts import counted
from lutloom.core.errors import DataFileError
from lutloom.core.files import write_file
from lutloom.rows import map_npy, npz_rows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    ArraySource: TypeAlias = str | Path | NDArray[Any]
    DataSource: TypeAlias = ArraySource | Mapping[str, ArraySource]
    Arrays: TypeAlias = NDArray[Any] | Mapping[str, NDArray[Any]]
    _Number = TypeVar("_Number", bound=np.generic)


_MOST_CLASSES = 2**31
# The time stamp that makes equal arrays equal files: the earliest a zip file can say.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def load_array(source: ArraySource, what: str) -> NDArray[Any]:
    """Return the array that ``source`` is, or that its .npy file holds.

    Raises ``DataFileError`` if the file is missing, or is no .npy file of numbers.
    """
    import numpy as np

    return source if isinstance(source, np.ndarray) else np.array(map_npy(Path(source), what))


def load_data(source: DataSource) -> Arrays:
    """Return what ``source`` holds: an array, or several by the names of the model's inputs.

    Raises ``DataFileError`` as ``load_array`` does, and for a damaged .npz file.
    """
    if isinstance(source, Mapping):
        return {name: load_array(entry, "data") for name, entry in source.items()}
    if isinstance(source, str | Path) and Path(source).suffix == ".npz":
        found = npz_rows(Path(source), "data")
        return {
            name: next(rows.chunks(rows.count, rows.count or 1)) for name, rows in found.items()
        }
    return load_array(source, "data")


def named_source(items: Sequence[str], option: str = "data") -> DataSource:
    """Return what the values of ``--data`` say: a file, or ``NAME=FILE`` for each input.

    So do those of another ``option`` for each input or output.

    Raises ``DataFileError`` for several that have no name, or one name.
    """
    if len(items) == 1 and ("=" not in items[0] or Path(items[0]).exists()):
        return items[0]
    found: dict[str, ArraySource] = {}
    for item in items:
        name, sign, path = item.partition("=")
        if not sign or name in found:
            raise DataFileError(
                f"--{option} is '{item}' among several: give one NAME=FILE for each of the model's,"
                " or one .npz file with all of them"
            )
        found[name] = path
    return found


def load_labels(source: ArraySource, count: int) -> NDArray[np.int64]:
    """Return ``count`` labels: whole numbers, one an image.

    Raises ``DataFileError`` if they are anything else.
    """
    import numpy as np

    labels = source if isinstance(source, np.ndarray) else map_npy(Path(source), "labels")
    if labels.shape != (count,):
        raise DataFileError(
            f"there should be {counted(count, 'label')}, not an array {list(labels.shape)}"
        )
    whole = labels.dtype.kind in "iu" or (labels == np.round(labels)).all()
    if not whole or not ((labels >= 0) & (labels < _MOST_CLASSES)).all():
        raise DataFileError("the labels should be whole numbers: the classes from 0 on")
    return labels.astype(np.int64)


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Write ``array`` to a .npy file, whole or not at all."""
    import numpy as np

    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    write_file(path, buffer.getvalue())


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write ``arrays`` to a .npz file by name: the same bytes for the same numbers."""
    import numpy as np

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, array, allow_pickle=False)
            zipped.writestr(zipfile.ZipInfo(f"{name}.npy", _EPOCH), member.getvalue())
    write_file(path, buffer.getvalue())


def samples_of(arrays: Mapping[str, NDArray[_Number]], part: slice) -> dict[str, NDArray[_Number]]:
    """Return the samples ``part`` of every input."""
    return {name: array[part] for name, array in arrays.items()}


def count_of(arrays: Mapping[str, NDArray[Any]]) -> int:
    """Return how many samples there are of every input."""
    return len(next(iter(arrays.values())))
