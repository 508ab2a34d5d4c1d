"""The data sets that are known by name: their files, where these lie, and what they should be.

SHA-256 and sizes agree in several independent projects that pin them; Fashion-MNIST's README and
CIFAR's page publish MD5 sums, which those projects list beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lutloom.qat.data.cifar import CIFAR10, CIFAR100, Cifar, load_cifar_archive
from lutloom.qat.data.dataset import Dataset
from lutloom.qat.data.idx import STEMS, load_idx_files

_MNIST = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
# The first is what the authors' README names; a checksum makes up for its plain HTTP.
_FASHION = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
)
_CIFAR = ("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of ``size`` bytes that lies at several ``urls``, the first of which is tried first."""

    name: str
    size: int
    sha256: str
    urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Published:
    """A data set by its ``name``; ``read`` makes it of the folder and its complete files."""

    name: str
    files: tuple[RemoteFile, ...]
    read: Callable[[Path, Sequence[Path]], Dataset]

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(file.size for file in self.files)


def _remote(places: tuple[str, ...], name: str, size: int, sha256: str) -> RemoteFile:
    return RemoteFile(name, size, sha256, tuple(place + name for place in places))


def _idx(name: str, places: tuple[str, ...], known: Sequence[tuple[int, str]]) -> Published:
    files = (
        _remote(places, f"{stem}.gz", *entry) for stem, entry in zip(STEMS, known, strict=True)
    )
    return Published(
        name, tuple(files), lambda folder, paths: load_idx_files(folder, paths, name=name)
    )


def _cifar(cifar: Cifar, size: int, sha256: str) -> Published:
    return Published(
        cifar.name,
        (_remote(_CIFAR, cifar.archive, size, sha256),),
        lambda _, paths: load_cifar_archive(paths[0], cifar),
    )


PUBLISHED = {
    published.name: published
    for published in (
        _idx(
            "mnist",
            _MNIST,
            (
                (9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
                (28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
                (1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
                (4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
            ),
        ),
        _idx(
            "fashion-mnist",
            _FASHION,
            (
                (26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
                (29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
                (4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
                (5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
            ),
        ),
        _cifar(
            CIFAR10,
            170052171,
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        ),
        _cifar(
            CIFAR100,
            168513733,
            "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        ),
    )
}
