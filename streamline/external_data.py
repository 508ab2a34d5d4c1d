"""Constants that lie in files beside the model: read where they may be, and as large as they are.

A model says where its data lie, and models come from anywhere: nothing outside of the model's own
folder is read, nothing that is no regular file, and no more than a constant's shape says.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING

from lutloom.streamline.errors import ModelFileError, show
from lutloom.streamline.tensors import size_in_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    import onnx

LARGEST_FILE = 2**31 - 1
"""Bytes that one ONNX file can hold: protocol buffers end there."""

_NUMBER = re.compile(r"[0-9]{1,18}")


def take_in(model: onnx.ModelProto, path: Path) -> None:
    """Replace what lies beside the model at ``path`` by the data themselves.

    Raises ``ModelFileError`` for data that are not there, lie elsewhere or are too large.
    """
    from onnx import TensorProto

    outside = [t for t in _tensors(model) if t.data_location == TensorProto.EXTERNAL]
    total = 0
    for tensor in outside:
        total += size_in_bytes(path, tensor)
        if total > LARGEST_FILE:
            raise ModelFileError(
                f"{path}: its external data are larger than 2 GB, and a build keeps the model as"
                " one ONNX file, which can't be: compile a smaller model"
            )
    for tensor in outside:
        tensor.raw_data = _read(path, tensor)
        tensor.data_location = TensorProto.DEFAULT
        del tensor.external_data[:]


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Yield every constant; subgraphs, functions and sparse constants are refused later."""
    yield from model.graph.initializer
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t


def _read(path: Path, tensor: onnx.TensorProto) -> bytes:
    size = size_in_bytes(path, tensor)
    entries = {entry.key: entry.value for entry in tensor.external_data}
    constant = f"{path}: the external data of the constant {show(tensor.name)}"
    file = _place(path, str(entries.get("location", "")), constant)
    offset, length = (
        _number(entries.get(key, default), f"{constant}: their {key}")
        for key, default in (("offset", "0"), ("length", str(size)))
    )
    if length != size:
        raise ModelFileError(
            f"{constant} are {length} bytes, but its shape {list(tensor.dims)} takes {size}: the"
            " file is damaged; export the model again"
        )
    try:
        # Without waiting: a named pipe may have nobody at its other end.
        with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK), "rb") as data:
            status = os.fstat(data.fileno())
            if not S_ISREG(status.st_mode):
                raise ModelFileError(f"{constant}: {file} is no regular file")
            if offset + size > status.st_size:
                raise ModelFileError(
                    f"{constant} end at byte {offset + size} of {file}, which has"
                    f" {status.st_size} bytes: it is cut off, or belongs to another model"
                )
            data.seek(offset)
            return data.read(size)
    except FileNotFoundError as error:
        raise ModelFileError(
            f"{constant} are missing: put {file.name} into {path.parent}, beside the model"
        ) from error
    except OSError as error:
        raise ModelFileError(f"{constant} can't be read: {error}") from error


def _place(path: Path, location: str, constant: str) -> Path:
    """Return the file that ``location`` names, which must lie in the folder of ``path``."""
    file = path.parent / location
    try:
        inside = bool(location) and "\0" not in location and not Path(location).is_absolute()
        inside = inside and file.resolve().is_relative_to(path.parent.resolve())
    except (OSError, RuntimeError, ValueError):  # links that lead round in a circle
        inside = False
    if not inside:
        raise ModelFileError(
            f"{constant} lie at {show(location)}, which is no file in the model's own folder:"
            " put it there (no links out of it), and export the model with a relative path"
        )
    return file


def _number(text: object, what: str) -> int:
    if not isinstance(text, str) or not _NUMBER.fullmatch(text):
        raise ModelFileError(
            f"{what} is {show(str(text))}, and should be a number of bytes: the file is damaged"
        )
    return int(text)
