"""Arrays that users pass: as such, or as the path of a .npy file."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.core.errors import LutloomError
from lutloom.core.files import check_regular, write_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    DataSource: TypeAlias = str | Path | NDArray[Any]


_MOST_CLASSES = 2**31


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
