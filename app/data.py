"""Arrays that users pass: as such, or as the path of a .npy file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.core.errors import LutloomError
from lutloom.core.files import write_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    DataSource: TypeAlias = str | Path | NDArray[Any]


class DataFileError(LutloomError, ValueError):
    """A file that holds no usable array."""


def load_array(source: DataSource, what: str) -> NDArray[Any]:
    """Return the array that ``source`` is, or that its .npy file holds.

    Raises ``DataFileError`` if the file is missing, or is no .npy file of numbers.
    """
    import numpy as np

    if isinstance(source, np.ndarray):
        return source
    path = Path(source)
    if path.is_dir():
        raise DataFileError(f"the {what} file {path} is a directory: name a .npy file")
    try:
        with path.open("rb") as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
    except FileNotFoundError as error:
        raise DataFileError(f"the {what} file {path} does not exist") from error
    except Exception as error:  # NumPy raises whatever its parts do for a damaged header
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataFileError(
            f"the {what} file {path} is no .npy file of numbers ({reason}); save it with numpy.save"
        ) from error
    if array.dtype.kind not in "fiub":
        raise DataFileError(f"the {what} file {path} holds {array.dtype}, not numbers")
    return array


def load_images(source: DataSource) -> NDArray[Any]:
    """Return at least one input of a model, ``[N, ...]``, from ``source``.

    Raises ``DataFileError`` as ``load_array``, and if there is none.
    """
    images = load_array(source, "data")
    if images.ndim == 0 or len(images) == 0:
        raise DataFileError(
            f"the data have the shape {list(images.shape)}: there should be at least one input of"
            " the model, [N, ...]"
        )
    return images


def load_labels(source: DataSource, count: int) -> NDArray[np.int64]:
    """Return ``count`` labels: whole numbers, one an image.

    Raises ``DataFileError`` if they are anything else.
    """
    import numpy as np

    labels = load_array(source, "labels")
    if labels.shape != (count,):
        raise DataFileError(f"there should be {count} labels, not an array {list(labels.shape)}")
    if labels.dtype.kind not in "iu" and not (labels == np.round(labels)).all():
        raise DataFileError("the labels should be whole numbers: the classes from 0 on")
    return labels.astype(np.int64)


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Write ``array`` to a .npy file, whole or not at all."""
    import numpy as np

    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    write_file(path, buffer.getvalue())
