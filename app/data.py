"""Arrays that users pass: as such, or as the path of a .npy file.

For several inputs of a model they go by its names: a mapping, or the path of a .npz file.
"""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from lutloom.core.errors import LutloomError
from lutloom.core.files import check_regular, write_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    ArraySource: TypeAlias = str | Path | NDArray[Any]
    DataSource: TypeAlias = ArraySource | Mapping[str, ArraySource]
    Arrays: TypeAlias = NDArray[Any] | Mapping[str, NDArray[Any]]
    _Number = TypeVar("_Number", bound=np.generic)


_MOST_CLASSES = 2**31
_LARGEST_ARRAY = 2**32
# The time stamp that makes equal arrays equal files: the earliest a zip file can say.
_EPOCH = (1980, 1, 1, 0, 0, 0)


class DataFileError(LutloomError, ValueError):
    """A file that holds no usable array."""


def load_array(source: ArraySource, what: str) -> NDArray[Any]:
    """Return the array that ``source`` is, or that its .npy file holds.

    Raises ``DataFileError`` if the file is missing, or is no .npy file of numbers.
    """
    import numpy as np

    if isinstance(source, np.ndarray):
        return source
    path = Path(source)
    try:
        check_regular(path, sys.maxsize)
        # A header may claim any shape: mapped, it is compared with the size of the file.
        array = np.array(np.lib.format.open_memmap(path, mode="r"))
    except FileNotFoundError as error:
        raise DataFileError(f"the {what} file {path} does not exist") from error
    except OSError as error:
        raise DataFileError(
            f"the {what} file {path} can't be read ({error.strerror or error}): name a .npy file"
        ) from error
    except Exception as error:  # NumPy raises whatever its parts do for a damaged header
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataFileError(
            f"the {what} file {path} is no .npy file of numbers ({reason}); save it with numpy.save"
        ) from error
    if array.dtype.kind not in "fiub":
        raise DataFileError(f"the {what} file {path} holds {array.dtype}, not numbers")
    return array


def load_data(source: DataSource) -> Arrays:
    """Return what ``source`` holds: an array, or several by the names of the model's inputs.

    Raises ``DataFileError`` as ``load_array`` does, and for a damaged .npz file.
    """
    if isinstance(source, Mapping):
        return {name: load_array(entry, "data") for name, entry in source.items()}
    if isinstance(source, str | Path) and Path(source).suffix == ".npz":
        return _load_archive(Path(source))
    return load_array(source, "data")


def load_images(source: DataSource) -> Arrays:
    """Return at least one input of a model, ``[N, ...]``, from ``source``, or several by name.

    Raises ``DataFileError`` as ``load_data``, and if there is none.
    """
    found = load_data(source)
    for images in found.values() if isinstance(found, Mapping) else (found,):
        if images.ndim == 0 or len(images) == 0:
            raise DataFileError(
                f"the data have the shape {list(images.shape)}: there should be at least one input"
                " of the model, [N, ...]"
            )
    return found


def named_source(items: Sequence[str]) -> DataSource:
    """Return what the values of ``--data`` say: a file, or ``NAME=FILE`` for each input.

    Raises ``DataFileError`` for several that have no name, or one name.
    """
    if len(items) == 1 and ("=" not in items[0] or Path(items[0]).exists()):
        return items[0]
    found: dict[str, ArraySource] = {}
    for item in items:
        name, sign, path = item.partition("=")
        if not sign or name in found:
            raise DataFileError(
                f"--data is '{item}' among several: give one NAME=FILE for each input of the model,"
                " or one .npz file with all of them"
            )
        found[name] = path
    return found


def _load_archive(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a .npz file by name."""
    import numpy as np

    arrays = {}
    try:
        check_regular(path, sys.maxsize)
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if entry.file_size > _LARGEST_ARRAY:
                    raise ValueError(f"'{entry.filename}' is larger than 4 GB")
                member = io.BytesIO(archive.read(entry))
                name = entry.filename.removesuffix(".npy")
                arrays[name] = np.lib.format.read_array(member, allow_pickle=False)
    except FileNotFoundError as error:
        raise DataFileError(f"the data file {path} does not exist") from error
    except OSError as error:
        raise DataFileError(
            f"the data file {path} can't be read ({error.strerror or error}): name a .npz file"
        ) from error
    except Exception as error:  # zipfile and NumPy raise whatever their parts do
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataFileError(
            f"the data file {path} is no .npz file of numbers ({reason}); save it with numpy.savez"
        ) from error
    for name, array in arrays.items():
        if array.dtype.kind not in "fiub":
            raise DataFileError(f"{name} in the data file {path} holds {array.dtype}, not numbers")
    return arrays


def load_labels(source: ArraySource, count: int) -> NDArray[np.int64]:
    """Return ``count`` labels: whole numbers, one an image.

    Raises ``DataFileError`` if they are anything else.
    """
    import numpy as np

    labels = load_array(source, "labels")
    if labels.shape != (count,):
        raise DataFileError(f"there should be {count} labels, not an array {list(labels.shape)}")
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
