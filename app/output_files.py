"""The files that a run over a data set fills batch by batch: they appear whole, or not at all."""

from __future__ import annotations

import shutil
import zipfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lutloom.build import check_output
from lutloom.core.files import (
    OutputError,
    check_replaceable,
    check_writable,
    directory_beside,
    whole_file,
    writing,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[Any]]
    Append = Callable[[Arrays], None]

# The time stamp that makes equal arrays equal files: the earliest a zip file can say.
EPOCH = (1980, 1, 1, 0, 0, 0)


@contextmanager
def npy_file(path: Path, count: int) -> Iterator[Callable[[NDArray[Any]], None]]:
    """Yield a function that appends rows to the .npy file ``path``: ``count`` in all.

    The file is there when the block ends without an error, and as ``numpy.save`` writes it. Raises
    ``OutputError`` where it can't be written.
    """
    import numpy as np

    with whole_file(path) as file:

        def append(rows: NDArray[Any]) -> None:
            with writing(path):
                if not file.tell():
                    descr = np.lib.format.dtype_to_descr(rows.dtype)
                    shape = (count, *rows.shape[1:])
                    header = {"descr": descr, "fortran_order": False, "shape": shape}
                    np.lib.format.write_array_header_1_0(file, header)
                file.write(np.ascontiguousarray(rows).tobytes())

        yield append


@contextmanager
def npy_files(paths: Mapping[str, Path], count: int) -> Iterator[Append]:
    """Yield a function that appends rows to several .npy files, by the names of the arrays.

    The rest is as with ``npy_file``.
    """
    with ExitStack() as stack:
        appends = {name: stack.enter_context(npy_file(path, count)) for name, path in paths.items()}

        def append(rows: Arrays) -> None:
            for name, append_to in appends.items():
                append_to(rows[name])

        yield append


@contextmanager
def npz_file(path: Path, names: Sequence[str], count: int) -> Iterator[Append]:
    """Yield a function that appends rows to the arrays ``names`` in the .npz file ``path``.

    Members of a zip archive are written one behind the other: until the end, the arrays lie in a
    directory beside it. The rest is as with ``npy_file``.
    """
    check_replaceable(path)
    with directory_beside(path) as directory:
        parts = {name: directory / f"{index}.npy" for index, name in enumerate(names)}
        with npy_files(parts, count) as append:
            yield append
        with whole_file(path) as file, writing(path), zipfile.ZipFile(file, "w") as archive:
            for name, part in parts.items():
                entry = zipfile.ZipInfo(f"{name}.npy", EPOCH)
                with part.open("rb") as source, archive.open(entry, "w", force_zip64=True) as sink:
                    shutil.copyfileobj(source, sink, 2**20)


def check_files(
    paths: Iterable[Path], sources: Iterable[object], build: Path | None = None
) -> None:
    """Raise ``OutputError`` if ``paths`` can't all be written to.

    None may be a file of a ``build``, or one of the ``sources`` that are paths, or there twice.
    """
    known: set[Path] = set()
    for path in paths:
        if not path.parent.is_dir():
            raise OutputError(f"{path} can't be written: {path.parent} is no directory")
        if any(isinstance(s, str | Path) and _is_of(path, Path(s)) for s in sources):
            raise OutputError(f"{path} is the input itself: write the outputs to another file")
        if build is not None:
            check_output(path, build)
        check_replaceable(path)
        check_writable(path)
        if path.resolve() in known:
            raise OutputError(f"{path} can't be written: two outputs should go there")
        known.add(path.resolve())


def _is_of(path: Path, source: Path) -> bool:
    """Return whether ``path`` is ``source``, whatever its name, or a file in that folder."""
    if not path.exists() or not source.exists():
        return False
    return path.samefile(source) or path.resolve().is_relative_to(source.resolve())
