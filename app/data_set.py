"""Data sets: samples of a model's inputs, read a batch at a time wherever they come from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.core.errors import DataFileError
from lutloom.image_folder import Pixels, open_folder
from lutloom.rows import Rows, array_rows, npy_rows, npz_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.network import Network
    from lutloom.core.ports import InputPort
    from lutloom.data import ArraySource, DataSource

    Batch: TypeAlias = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class DataSet:
    """As many samples of every input of a model, by their names.

    ``labels`` are the classes of all samples, and ``class_names`` what these are called, where the
    data come from folders of images.
    """

    inputs: Mapping[str, Rows]
    labels: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many samples there are."""
        return next(iter(self.inputs.values())).count

    @property
    def bytes_a_sample(self) -> int:
        """What one sample takes of the memory."""
        return sum(math.prod(r.shape[1:]) * r.dtype.itemsize for r in self.inputs.values())

    def batches(self, count: int, size: int) -> Iterator[Batch]:
        """Yield the first ``count`` samples, ``size`` at a time; of none, one empty batch.

        Raises ``DataFileError`` for a file that is damaged.
        """
        chunks = [rows.chunks(count, size) for rows in self.inputs.values()]
        for parts in zip(*chunks, strict=True):
            yield dict(zip(self.inputs, parts, strict=True))

    def first(self, count: int) -> Batch:
        """Return the first ``count`` samples, or all if they are fewer; raises as ``batches``."""
        count = min(count, self.count)
        return next(self.batches(count, max(count, 1)))


def open_data(
    source: DataSource,
    network: Network,
    *,
    pixels: Pixels | None = None,
    threads: int | None = None,
    least: int = 0,
) -> DataSet:
    """Return the data set in ``source``, which is not read yet.

    That is an array, a .npy file or a folder of images; for several inputs of the model a .npz
    file, or a mapping, by their names. ``pixels`` says what the numbers of images are,
    which are read by ``threads``, by default as many as there are cores.

    Raises ``DataFileError`` if it is no such thing, or holds fewer than ``least`` samples, and
    ``RangeError`` if it does not fit the inputs of ``network``.
    """
    _check_pixels(source, pixels)
    if isinstance(source, str | Path) and Path(source).suffix == ".npz":
        parts = {
            name: DataSet({name: rows}) for name, rows in npz_rows(Path(source), "data").items()
        }
        network.check_names(parts)
    elif isinstance(source, Mapping):
        network.check_names(source)
        ports = {port.name: port for port in network.inputs}
        parts = {name: _open(entry, ports[name], pixels, threads) for name, entry in source.items()}
    else:
        port = network.input
        parts = {port.name: _open(source, port, pixels, threads)}
    inputs = {name: part.inputs[name] for name, part in parts.items()}
    for rows in inputs.values():
        if rows.count < least:
            raise DataFileError(
                f"the data have the shape {list(rows.shape)}: there should be at least one input"
                " of the model, [N, ...]"
            )
    order = network.named({name: rows.blank for name, rows in inputs.items()})
    told = next((part for part in parts.values() if part.labels is not None), DataSet({}))
    return DataSet({name: inputs[name] for name in order}, told.labels, told.class_names)


def _check_pixels(source: DataSource, pixels: Pixels | None) -> None:
    """Raise ``DataFileError`` if something is said of images, and there are none."""
    entries = source.values() if isinstance(source, Mapping) else (source,)
    has_images = any(isinstance(entry, str | Path) and _is_folder(Path(entry)) for entry in entries)
    if pixels not in {None, Pixels()} and not has_images:
        raise DataFileError(
            "white, mean and std say what the bytes of images stand for, and the data are no folder"
            " of images: leave them out, and save the numbers that the model takes"
        )


def _open(
    source: ArraySource, port: InputPort, pixels: Pixels | None, threads: int | None
) -> DataSet:
    """Return what ``source`` holds for one input of a model."""
    import numpy as np

    if isinstance(source, np.ndarray):
        return DataSet({port.name: array_rows(source)})
    path = Path(source)
    if not _is_folder(path):
        return DataSet({port.name: npy_rows(path, "data")})
    folder = open_folder(path, port, pixels or Pixels(), threads)
    return DataSet({port.name: folder.rows}, folder.labels, folder.class_names)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # no name that a file can have: said where it is opened
        return False
