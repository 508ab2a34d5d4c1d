"""CIFAR-10 and CIFAR-100 in their binary version: records of labels and 32 x 32 pixels.

A record is one byte of label (two in CIFAR-100: the coarse one of 20 and the fine one of 100,
which is what is trained), then 1024 bytes each of red, green and blue, row by row
(https://www.cs.toronto.edu/~kriz/cifar.html).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lutloom.qat.data.archive import read_members
from lutloom.qat.data.dataset import Dataset, Part, assemble
from lutloom.qat.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_SHAPE = (3, 32, 32)
_PIXELS = 3 * 32 * 32


@dataclass(frozen=True, slots=True)
class Cifar:
    """One of the two: its ``archive``, the ``folder`` in it and the files there.

    The label is the last of ``label_bytes``.
    """

    name: str
    archive: str
    folder: str
    train: tuple[str, ...]
    test: str
    label_bytes: int
    classes: int

    @property
    def files(self) -> tuple[str, ...]:
        """The names of all files."""
        return *self.train, self.test


CIFAR10 = Cifar(
    name="cifar10",
    archive="cifar-10-binary.tar.gz",
    folder="cifar-10-batches-bin",
    train=tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    test="test_batch.bin",
    label_bytes=1,
    classes=10,
)
CIFAR100 = Cifar(
    name="cifar100",
    archive="cifar-100-binary.tar.gz",
    folder="cifar-100-binary",
    train=("train.bin",),
    test="test.bin",
    label_bytes=2,
    classes=100,
)
BOTH = (CIFAR10, CIFAR100)


def find_cifar(folder: Path, cifar: Cifar) -> Path | None:
    """Return the folder with the files of ``cifar``, or its archive: in ``folder``, or None."""
    for place in (folder, folder / cifar.folder):
        if any((place / name).is_file() for name in cifar.files):
            return place
    archive = folder / cifar.archive
    return archive if archive.is_file() else None


def load_cifar_folder(folder: Path, cifar: Cifar) -> Dataset:
    """Return the data set whose unpacked files lie in ``folder``.

    Raises :class:`DataError` if one is missing or damaged.
    """
    contents = {}
    for name in cifar.files:
        path = folder / name
        if not path.is_file():
            raise DataError(f"{folder} has no {name}: unpack all of {cifar.archive} there")
        try:
            contents[name] = path.read_bytes()
        except OSError as error:
            raise DataError(f"{path} can't be read: {error.strerror or error}") from error
    return _load(folder, cifar, contents)


def load_cifar_archive(archive: Path, cifar: Cifar) -> Dataset:
    """Return the data set in the ``archive`` of its authors, which is not unpacked.

    Raises :class:`DataError` if it is damaged, or another one.
    """
    members = read_members(archive, {f"{cifar.folder}/{name}" for name in cifar.files})
    contents = {path.rpartition("/")[2]: content for path, content in members.items()}
    return _load(archive, cifar, contents)


def _load(where: Path, cifar: Cifar, contents: Mapping[str, bytes]) -> Dataset:
    train = [_records(where / name, cifar, contents[name]) for name in cifar.train]
    test = [_records(where / cifar.test, cifar, contents[cifar.test])]
    return assemble(
        where,
        _part(where / cifar.train[0], cifar, train),
        _part(where / cifar.test, cifar, test),
        name=cifar.name,
        classes=cifar.classes,
    )


def _records(path: Path, cifar: Cifar, content: bytes) -> NDArray[np.uint8]:
    size = cifar.label_bytes + _PIXELS
    if len(content) % size:
        raise DataError(
            f"{path} holds {len(content):,} bytes, which are no whole number of records of {size} "
            f"bytes as {cifar.name} has them: fetch the file again"
        )
    return np.frombuffer(content, np.uint8).reshape(-1, size)


def _part(path: Path, cifar: Cifar, files: list[NDArray[np.uint8]]) -> Part:
    images = np.concatenate([records[:, cifar.label_bytes :] for records in files])
    labels = np.concatenate([records[:, cifar.label_bytes - 1] for records in files])
    return Part(images.reshape(-1, *_SHAPE), labels, str(path), str(path))
