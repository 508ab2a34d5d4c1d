"""Data sets by name, or from where they lie."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from lutloom.qat.data.cifar import BOTH, find_cifar, load_cifar_archive, load_cifar_folder
from lutloom.qat.data.dataset import Dataset
from lutloom.qat.data.digits import DIGITS, load_digits
from lutloom.qat.data.download import Progress, checked, fetch
from lutloom.qat.data.idx import has_idx, load_idx_folder
from lutloom.qat.data.npz import SUFFIX, load_npz
from lutloom.qat.data.pictures import PARTS, load_image_folder
from lutloom.qat.data.published import PUBLISHED, Published
from lutloom.qat.errors import DataError

_ARCHIVES = (".tar", ".tar.gz", ".tgz")


def load_dataset(
    source: str | Path, *, download: bool = False, progress: Progress | None = None
) -> Dataset:
    """Return a data set by its name, or the one that a folder or file holds.

    Names are ``digits``, which scikit-learn ships, ``mnist``, ``fashion-mnist``, ``cifar10`` and
    ``cifar100``, which lie in :func:`cache_folder`; ``download`` fetches what is missing there,
    and tells ``progress`` of it. A folder holds IDX files, CIFAR's binary files or archive, or
    images in ``train`` and ``test``; a file is CIFAR's archive or a .npz file.

    Raises :class:`DataError` if it is missing, damaged or can't be downloaded, and ``OutputError``
    if the cache can't be written to.
    """
    if source == DIGITS:
        return load_digits()
    if isinstance(source, str) and source in PUBLISHED:
        return _load_published(PUBLISHED[source], download=download, progress=progress)
    path = Path(source)
    try:
        if path.is_dir():
            return _load_folder(path)
        if path.is_file():
            return _load_file(path)
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror or error}") from error
    raise DataError(
        f"there is no data set {str(source)!r}: use {DIGITS!r} (which needs no files), "
        f"{', '.join(PUBLISHED)}, or a folder or file with one"
    )


def cache_folder() -> Path:
    """Return where downloaded data sets lie: ``$XDG_CACHE_HOME/lutloom/data``.

    That is in ``~/.cache`` where the variable is not set, or no absolute path.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (cache if cache.is_absolute() else Path.home() / ".cache") / "lutloom" / "data"


def _load_published(published: Published, *, download: bool, progress: Progress | None) -> Dataset:
    folder = cache_folder() / published.name
    if download:
        paths = [fetch(file, folder, progress) for file in published.files]
    else:
        missing = [file for file in published.files if not (folder / file.name).is_file()]
        if missing:
            places = ", ".join(file.urls[0] for file in missing)
            raise DataError(
                f"{published.name} is not in {folder}: pass --download (download=True) to fetch "
                f"{published.size / 1e6:.1f} MB, or put there {places}"
            )
        paths = [checked(folder / file.name, file) for file in published.files]
    return published.read(folder, paths)


def _load_folder(folder: Path) -> Dataset:
    """Return the data set in a folder, which holds one."""
    found: list[tuple[str, Callable[[], Dataset]]] = []
    if has_idx(folder):
        found.append(("IDX files", partial(load_idx_folder, folder)))
    for cifar in BOTH:
        place = find_cifar(folder, cifar)
        if place is not None:
            load = load_cifar_folder if place.is_dir() else load_cifar_archive
            found.append((cifar.name, partial(load, place, cifar)))
    if all((folder / part).is_dir() for part in PARTS):
        found.append(("images", partial(load_image_folder, folder)))
    if not found:
        raise DataError(
            f"{folder} holds no data set: put there the four IDX files of MNIST, the binary files "
            "or the archive of CIFAR, or images in train/CLASS and test/CLASS"
        )
    if len(found) > 1:
        kinds = " and ".join(kind for kind, _ in found)
        raise DataError(f"{folder} holds {kinds}: put each data set into a folder of its own")
    return found[0][1]()


def _load_file(path: Path) -> Dataset:
    if path.suffix == SUFFIX:
        return load_npz(path)
    if not path.name.endswith(_ARCHIVES):
        raise DataError(
            f"{path} is no data set: name a .npz file, an archive of CIFAR, or a folder"
        )
    for cifar in BOTH:
        if path.name.startswith(cifar.archive.removesuffix(".tar.gz")):
            return load_cifar_archive(path, cifar)
    raise DataError(
        f"{path} is an archive that is not known: name it as its authors do, "
        f"{' or '.join(cifar.archive for cifar in BOTH)}, or unpack it"
    )
