"""A data set in a .npz file: ``train_images``, ``train_labels``, ``test_images``, ``test_labels``.

Images are bytes: (N, H, W), or with one or three channels (N, C, H, W) or (N, H, W, C). What is no
image is one of a single row: signals (N, C, 1, L) with any number of channels, numbers (N, L).
Labels are whole numbers (N,), the classes from 0 on.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lutloom.qat.data.dataset import MOST_CLASSES, Dataset, Part, assemble
from lutloom.qat.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

SUFFIX = ".npz"
_NAMES = tuple(f"{part}_{what}" for part in ("train", "test") for what in ("images", "labels"))
_CHANNELS = (1, 3)


def load_npz(path: Path) -> Dataset:
    """Return the data set in the .npz file ``path``.

    Raises :class:`DataError` if it is damaged, or holds other arrays than these four.
    """
    with _reading(path), path.open("rb") as file:
        archive = np.load(file, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise DataError(f"{path} holds one array: save the four of a data set with numpy.savez")
        with archive:
            if set(archive.files) != set(_NAMES):
                raise DataError(
                    f"{path} holds {', '.join(archive.files) or 'nothing'}: save "
                    f"{', '.join(_NAMES)} with numpy.savez"
                )
            arrays = {name: archive[name] for name in _NAMES}
    return assemble(path, _part(path, arrays, "train"), _part(path, arrays, "test"), name=path.stem)


def _part(path: Path, arrays: dict[str, NDArray[Any]], part: str) -> Part:
    images, labels = (f"{part}_{what}" for what in ("images", "labels"))
    return Part(
        _images(f"{images} in {path}", arrays[images]),
        _labels(f"{labels} in {path}", arrays[labels]),
        f"{path}: {images}",
        labels,
    )


def _images(what: str, array: NDArray[Any]) -> NDArray[np.uint8]:
    if array.dtype != np.uint8:
        raise DataError(f"{what} holds {array.dtype}: save images as bytes from 0 to 255 (uint8)")
    if array.ndim == 2:
        return array[:, None, None]
    if array.ndim == 3:
        return array[:, None]
    if array.ndim == 4:
        is_first, is_last = (array.shape[axis] in _CHANNELS for axis in (1, 3))
        is_signal = array.shape[2] == 1 and not is_last
        if is_first != is_last or is_signal:
            return array if is_first or is_signal else array.transpose(0, 3, 1, 2)
    raise DataError(
        f"{what} has the shape {list(array.shape)}: save images [N, height, width], or with one or "
        "three channels before or behind these, signals [N, channels, 1, length], or numbers "
        "[N, length]"
    )


def _labels(what: str, array: NDArray[Any]) -> NDArray[np.uint8]:
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise DataError(
            f"{what} is an array {list(array.shape)} of {array.dtype}: save labels [N], whole "
            "numbers from 0 on"
        )
    if len(array) and not 0 <= int(array.min()) <= int(array.max()) < MOST_CLASSES:
        raise DataError(
            f"{what} has labels from {int(array.min())} to {int(array.max())}: classes are 0 to "
            f"{MOST_CLASSES - 1}"
        )
    return array.astype(np.uint8)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror or error}") from error
    except Exception as error:  # zipfile and NumPy raise whatever their parts do
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"{path} is no .npz file of numbers ({reason}): save it again with numpy.savez"
        ) from error
