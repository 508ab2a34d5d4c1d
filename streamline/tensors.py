"""Constants of the file as NumPy arrays: as many numbers as they say, of a kind known here."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.streamline.errors import ModelFileError, show

if TYPE_CHECKING:
    import numpy as np
    import onnx
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

MOST_AXES = 16
"""Dimensions of a tensor: NumPy ends at 32 or 64, some of which lutloom needs for itself."""

_KINDS = "fiub"


def number_type(code: int) -> np.dtype[Any] | None:
    """Return the type of numbers that ONNX calls ``code``; None for one not known here.

    Strings and complex numbers are none, nor are those that NumPy does not have (bfloat16,
    float8, int4).
    """
    from onnx import helper

    try:
        dtype = helper.tensor_dtype_to_np_dtype(code)
    except (KeyError, TypeError, ValueError):
        return None
    return dtype if dtype.kind in _KINDS and type_name(code) not in _STAND_INS else None


# Older versions of onnx keep these in an integer or a float32 of NumPy's.
_STAND_INS = frozenset(
    {"BFLOAT16", "INT4", "UINT4", "INT2", "UINT2", "FLOAT4E2M1"}
    | {f"FLOAT8E{kind}" for kind in ("4M3FN", "4M3FNUZ", "5M2", "5M2FNUZ", "8M0")}
)


FOUR_BITS = {"INT4": (-8, 7), "UINT4": (0, 15)}
"""Kinds of constants that two of share a byte: their ends. NumPy holds them as bytes."""


def type_name(code: int) -> str:
    """Return ONNX's name for a type of numbers."""
    from onnx import TensorProto

    names = {value: name for name, value in TensorProto.DataType.items()}
    return str(names.get(code, f"type {code}"))


def size_in_bytes(path: Path, tensor: onnx.TensorProto) -> int:
    """Return what the numbers of ``tensor`` take.

    Raises ``ModelFileError`` for a shape that can't be, and for a kind of numbers not known here.
    """
    where = f"{path}: the constant {show(tensor.name)}"
    dims, kind = list(tensor.dims), type_name(tensor.data_type)
    if len(dims) > MOST_AXES:
        raise ModelFileError(f"{where} has {len(dims)} dimensions; at most {MOST_AXES} are read")
    if any(size < 0 for size in dims):
        raise ModelFileError(
            f"{where} has the shape {dims}: a size is negative, so the file is damaged; export the"
            " model again"
        )
    if kind in FOUR_BITS:
        return (int(prod(dims)) + 1) // 2
    dtype = number_type(tensor.data_type)
    if dtype is None:
        wanted = "int8 instead" if kind.startswith("FLOAT") else "float32 constants"
        raise ModelFileError(
            f"{where} holds {kind}, which is no kind of number known here: export the model with"
            f" {wanted}"
        )
    return int(prod(dims) * dtype.itemsize)


def to_array(path: Path, tensor: onnx.TensorProto) -> Array:
    """Return the numbers of ``tensor``, whose data lie in the file at ``path``, read-only.

    Raises ``ModelFileError`` if there are more or fewer than its shape says.
    """
    import numpy as np
    from onnx import numpy_helper

    size = size_in_bytes(path, tensor)
    where = f"{path}: the constant {show(tensor.name)} is damaged"
    if tensor.HasField("raw_data") and len(tensor.raw_data) != size:
        raise ModelFileError(
            f"{where}: its shape {list(tensor.dims)} takes {size} bytes, and there are"
            f" {len(tensor.raw_data)}; export the model again"
        )
    try:
        array = numpy_helper.to_array(tensor)
    except Exception as error:  # onnx raises half a dozen unrelated classes here
        raise ModelFileError(f"{where}: {error}") from error
    kind = type_name(tensor.data_type)
    if kind in FOUR_BITS:
        # Older versions of onnx unpack them themselves.
        array = array.astype(np.uint8 if kind == "UINT4" else np.int8)
        size = int(prod(tensor.dims))
    if array.nbytes != size:
        raise ModelFileError(
            f"{where}: its shape {list(tensor.dims)} takes {size} bytes, and there are"
            f" {array.nbytes}; export the model again"
        )
    array.setflags(write=False)
    return array
