"""The model's inputs and outputs: what the host computes before and behind the integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lutloom.core.errors import RangeError
from lutloom.core.host import run_host
from lutloom.core.host_json import program_from_json, program_to_json
from lutloom.core.meaning import ValueMeaning, entry_from_json, entry_to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lutloom.core.host import HostProgram
    from lutloom.core.types import IntArray, TensorType


_MOST_LOOKED_UP = 2**12


@dataclass(frozen=True, eq=False)
class InputPort:
    """``value = head(input)``: an input of the model, and the graph's input that is made of it.

    ``shape`` is the model's, without the batch. ``is_raw`` says that the model's input is a
    quantized tensor itself: then there is no head, and data may be given as those integers or as
    the reals they stand for.
    """

    name: str
    value: str
    shape: tuple[int, ...]
    head: HostProgram
    is_raw: bool

    def check(self, data: NDArray[Any]) -> None:
        """Raise ``RangeError`` unless ``data`` has the shape of the model's input, ``[N, ...]``,
        and holds numbers.
        """
        if data.ndim != len(self.shape) + 1 or data.shape[1:] != self.shape:
            raise RangeError(
                f"the data should have the shape {['N', *self.shape]},"
                f" as the model's input '{self.name}', not {list(data.shape)}"
            )
        if data.dtype.kind not in "fiub":
            raise RangeError(f"the data should be numbers, not {data.dtype}")

    def encode(self, data: NDArray[Any], meaning: ValueMeaning, type_: TensorType) -> IntArray:
        """Return the graph's input ``[batch, *shape]`` for the model's input ``data``.

        ``meaning`` and ``type_`` are those of the graph's input. Raises ``RangeError`` for another
        shape or type of numbers, and for values that a raw input does not have.
        """
        import numpy as np

        self.check(data)
        if self.is_raw:
            moved = meaning.in_value_order(data)
            return (
                _checked(moved, type_)
                if data.dtype.kind in "iu"
                else _nearest(moved, meaning, type_)
            )
        with np.errstate(over="ignore"):
            floats = data.astype(np.float32)
        if not np.isfinite(data).all():
            raise RangeError("the data hold NaN or infinity: clean them first")
        if not np.isfinite(floats).all():
            raise RangeError(
                "the data hold numbers beyond float32, which the model's input holds: scale them"
                " as for training"
            )
        integers = meaning.in_value_order(run_host(self.head, floats))
        return np.ascontiguousarray(integers, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class OutputPort:
    """``output = tail(value)``: an output of the model, and the graph's output it is made of.

    ``meaning`` is what the integers of ``value`` stand for here: several outputs of the model may
    be made of one value, and stand for reals of other scales. ``shape`` is the model's, without the
    batch.
    """

    name: str
    value: str
    meaning: ValueMeaning
    shape: tuple[int, ...]
    tail: HostProgram
    is_integer: bool
    """Whether the model's output holds integers (indices of classes), and not floats."""

    def decode(self, integers: IntArray) -> NDArray[Any]:
        """Return the model's output for the graph's output ``[batch, *shape]``."""
        if self.is_integer and not self.tail:
            return self.meaning.in_model_order(integers).reshape(-1, *self.shape)
        reals = self.meaning.in_model_order(self.meaning.to_real(integers))
        return run_host(self.tail, reals).reshape(-1, *self.shape)


def _nearest(reals: NDArray[Any], meaning: ValueMeaning, type_: TensorType) -> IntArray:
    """Return the integers that stand for ``reals``, which must be those numbers in float32."""
    import numpy as np

    found = _looked_up(reals, meaning, type_)
    if found is not None:
        return found
    scale = np.array([float(value) for value in meaning.scale])
    bias = np.array([float(value) for value in meaning.bias])
    wide = reals.astype(np.float64)
    if not np.isfinite(wide).all():
        raise RangeError("the data hold NaN or infinity: clean them first")
    rounded = np.round((wide - bias) / scale)
    element = type_.element
    outside = (rounded < element.lo) | (rounded > element.hi)
    if outside.any():
        channel = np.nonzero(outside)[-1][0]
        raise RangeError(
            f"the data hold {float(wide[outside][0])}, but the input takes the integers"
            f" {element.lo} to {element.hi} times {meaning.scale[channel % len(scale)]} plus"
            f" {meaning.bias[channel % len(bias)]}"
        )
    back = meaning.to_real(rounded.astype(np.int64))
    with np.errstate(over="ignore"):
        near = wide.astype(np.float32)
    wrong = (back != near) & (back != np.nextafter(near, back))
    if wrong.any():
        channel = np.nonzero(wrong)[-1][0]
        raise RangeError(
            f"the data hold {float(wide[wrong][0])}, which is no multiple of the input's scale"
            f" {meaning.scale[channel % len(scale)]}: pass the raw integers, or compile with"
            " another --input-scale"
        )
    return _checked(rounded.astype(np.int64), type_)


def _looked_up(reals: NDArray[Any], meaning: ValueMeaning, type_: TensorType) -> IntArray | None:
    """Return the integers of ``reals``, if these are float32 and each is the number of one.

    The quick way for images: what it does not find may be an integer still, or a mistake.
    """
    import numpy as np

    element = type_.element
    if reals.dtype != np.float32 or max(len(meaning.scale), len(meaning.bias)) > 1:
        return None
    if not 2 <= element.count <= _MOST_LOOKED_UP:
        return None
    integers = np.arange(element.lo, element.hi + 1, element.step)
    numbers = meaning.to_real(integers)
    first, last = float(numbers[0]), float(numbers[-1])
    with np.errstate(invalid="ignore", over="ignore"):
        # So far apart that no other integer is as near to one of them.
        gap = (last - first) / (element.count - 1)
        if not abs(gap) > 4 * element.step * np.spacing(np.abs(numbers).max()):
            return None
        places = reals - np.float32(first)
        places *= np.float32(1 / gap)
        codes = np.rint(places, out=places).astype(np.intp)
    if not np.array_equal(numbers.take(codes, mode="clip"), reals):
        return None
    return np.asarray(integers.take(codes, mode="clip"))


def _checked(integers: NDArray[Any], type_: TensorType) -> IntArray:
    """Return ``integers``, of any integer type, as int64 if they belong to ``type_``."""
    import numpy as np

    element = type_.element
    if integers.size and not element.lo <= int(integers.min()) <= int(integers.max()) <= element.hi:
        raise RangeError(
            f"the data hold {int(integers.min())} to {int(integers.max())}, but the input takes"
            f" {element.lo} to {element.hi}"
        )
    wide = np.ascontiguousarray(integers, dtype=np.int64)
    if element.step != 1 and ((wide - element.lo) % element.step).any():
        raise RangeError(
            f"the data hold numbers between {element.lo} and {element.hi} that the input does not"
            f" take: it takes every {element.step}th"
        )
    return wide


def input_to_json(port: InputPort) -> dict[str, Any]:
    """Return ``port`` as JSON values."""
    return {
        "name": port.name,
        "value": port.value,
        "shape": list(port.shape),
        "head": program_to_json(port.head),
        "is_raw": port.is_raw,
    }


def input_from_json(document: Mapping[str, Any]) -> InputPort:
    """Return what ``input_to_json`` wrote.

    Raises ``KeyError``, ``TypeError`` or ``ValueError`` for anything else.
    """
    return InputPort(
        name=str(document["name"]),
        value=str(document["value"]),
        shape=tuple(int(size) for size in document["shape"]),
        head=program_from_json(document["head"]),
        is_raw=bool(document["is_raw"]),
    )


def output_to_json(port: OutputPort) -> dict[str, Any]:
    """Return ``port`` as JSON values."""
    return {
        "name": port.name,
        "value": port.value,
        "meaning": entry_to_json(port.meaning),
        "shape": list(port.shape),
        "tail": program_to_json(port.tail),
        "is_integer": port.is_integer,
    }


def output_from_json(document: Mapping[str, Any]) -> OutputPort:
    """Return what ``output_to_json`` wrote; raises as ``input_from_json`` does."""
    return OutputPort(
        name=str(document["name"]),
        value=str(document["value"]),
        meaning=entry_from_json(document["meaning"]),
        shape=tuple(int(size) for size in document["shape"]),
        tail=program_from_json(document["tail"]),
        is_integer=bool(document["is_integer"]),
    )
