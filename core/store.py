"""Graphs in files: ``NAME.graph`` is the text, ``NAME.npz`` its constants by digest."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

from lutloom.core.errors import GraphFileError
from lutloom.core.files import check_regular, read_text, write_file
from lutloom.core.text import constants_of, parse_graph, print_graph
from lutloom.core.types import Const

if TYPE_CHECKING:
    from pathlib import Path

    from lutloom.core.graph import Graph

# The time stamp that makes equal graphs equal files: the earliest a zip file can say.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_LARGEST = 2**32


def save_graph(graph: Graph, stem: Path) -> None:
    """Write ``stem.graph`` and ``stem.npz``; equal graphs give equal bytes."""
    import numpy as np

    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        for digest, const in sorted(constants_of(graph).items()):
            array = io.BytesIO()
            np.lib.format.write_array(array, const.data, allow_pickle=False)
            zipped.writestr(zipfile.ZipInfo(f"{digest}.npy", _EPOCH), array.getvalue())
    write_file(stem.with_suffix(".npz"), archive.getvalue())
    write_file(stem.with_suffix(".graph"), print_graph(graph).encode())


def load_graph(stem: Path) -> Graph:
    """Read what ``save_graph`` wrote, checking every constant against its digest.

    Raises ``GraphFileError``, naming the file, if one is missing, damaged or of another format.
    """
    import numpy as np

    text_file, constants_file = stem.with_suffix(".graph"), stem.with_suffix(".npz")
    constants: dict[str, Const] = {}
    try:
        text = read_text(text_file)
        check_regular(constants_file, _LARGEST)
        # Not by NumPy, which leaves a file open that is no archive.
        with zipfile.ZipFile(io.BytesIO(constants_file.read_bytes())) as archive:
            for name in archive.namelist():
                array = io.BytesIO(archive.read(name))
                constants[name.removesuffix(".npy")] = Const(
                    np.lib.format.read_array(array, allow_pickle=False)
                )
    except FileNotFoundError as error:
        raise GraphFileError(f"{error.filename} is missing") from error
    except Exception as e:  # damaged archives raise a dozen unrelated classes
        raise GraphFileError(f"{constants_file} or {text_file.name} can't be read: {e}") from e
    for digest, const in constants.items():
        if const.digest != digest:
            raise GraphFileError(f"{constants_file}: the constant {digest} is damaged")
    try:
        return parse_graph(text, constants)
    except GraphFileError as error:
        raise GraphFileError(f"{text_file}: {error}") from error
