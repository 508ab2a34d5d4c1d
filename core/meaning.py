"""What the integers of a graph stand for: ``real = scale * integer + bias``, exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import IntArray


@dataclass(frozen=True, slots=True)
class ValueMeaning:
    """What one value of a graph stands for, and where it comes from.

    ``scale`` and ``bias`` have one entry, or one for each channel (last axis) of the value.
    ``tensor`` is the model's tensor that holds the same numbers as reals, and ``axes`` the order
    of that tensor's dimensions (without the batch) in the value. A flat tensor whose value is flat
    in another order has dimensions in ``split``, and ``axes`` are those. Where the value holds some
    of the ``channels`` only, the last axis of what is in the value's order, these are ``kept``.
    """

    scale: tuple[Fraction, ...]
    bias: tuple[Fraction, ...]
    tensor: str
    node: str
    axes: tuple[int, ...]
    is_quantized: bool
    """Whether a quantizer of the model made it: its integers are then the model's own."""
    split: tuple[int, ...] = ()
    kept: tuple[int, ...] = ()
    channels: int = 0

    def of_channels(self, kept: Sequence[int], channels: int) -> ValueMeaning:
        """Return what is left of it where of ``channels`` those in ``kept`` are left."""
        if len(kept) == channels:
            return self
        scale, bias = (
            tuple(numbers[i] for i in kept) if len(numbers) > 1 else numbers
            for numbers in (self.scale, self.bias)
        )
        whole = self.channels or channels
        rest = tuple(self.kept[i] for i in kept) if self.kept else tuple(kept)
        return replace(self, scale=scale, bias=bias, kept=rest, channels=whole)

    def in_model_order(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return ``array [batch, *shape]`` of the value with the axes of the model's tensor.

        Channels that the value does not hold are zeros.
        """
        import numpy as np

        if self.kept:
            whole = np.zeros((*array.shape[:-1], self.channels), dtype=array.dtype)
            whole[..., self.kept] = array
            array = whole
        places = (0, *(int(axis) + 1 for axis in np.argsort(self.axes)))
        if not self.split:
            return array.transpose(places)
        apart = array.reshape(-1, *(self.split[axis] for axis in self.axes))
        return apart.transpose(places).reshape(array.shape)

    def in_value_order(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return ``array [batch, ...]`` of the model's tensor with the axes of the value."""
        places = (0, *(axis + 1 for axis in self.axes))
        if self.split:
            moved = array.reshape(-1, *self.split).transpose(places).reshape(array.shape)
        else:
            moved = array.transpose(places)
        return moved[..., self.kept] if self.kept else moved

    def to_real(self, integers: IntArray) -> NDArray[np.float32]:
        """Return the reals that ``integers [batch, *shape]`` stand for, as float32.

        Computed in float64 and rounded once, so within half a unit in the last place of the
        exact value and a little; exactly it, where scale and integer have few bits.
        """
        import numpy as np

        scale = np.array([float(value) for value in self.scale])
        bias = np.array([float(value) for value in self.bias])
        with np.errstate(over="ignore"):  # infinite, as in the model
            return np.asarray(integers * scale + bias, dtype=np.float32)


Meaning: TypeAlias = Mapping[str, ValueMeaning]
"""By the name of the value. A value without an entry is an intermediate one."""


def meaning_to_json(meaning: Meaning) -> dict[str, Any]:
    """Return ``meaning`` as JSON values."""
    return {name: entry_to_json(entry) for name, entry in meaning.items()}


def meaning_from_json(document: Mapping[str, Any]) -> Meaning:
    """Return what ``meaning_to_json`` wrote; raises as ``entry_from_json`` does."""
    return {name: entry_from_json(entry) for name, entry in document.items()}


def entry_to_json(entry: ValueMeaning) -> dict[str, Any]:
    """Return ``entry`` as JSON values; rationals are strings such as ``-3/8``."""
    return {
        "scale": [str(value) for value in entry.scale],
        "bias": [str(value) for value in entry.bias],
        "tensor": entry.tensor,
        "node": entry.node,
        "axes": list(entry.axes),
        "is_quantized": entry.is_quantized,
        **({"split": list(entry.split)} if entry.split else {}),
        **({"kept": list(entry.kept), "channels": entry.channels} if entry.kept else {}),
    }


def entry_from_json(document: Mapping[str, Any]) -> ValueMeaning:
    """Return what ``entry_to_json`` wrote.

    Raises ``KeyError``, ``TypeError`` or ``ValueError`` for anything else.
    """
    return ValueMeaning(
        tuple(Fraction(value) for value in document["scale"]),
        tuple(Fraction(value) for value in document["bias"]),
        str(document["tensor"]),
        str(document["node"]),
        tuple(int(axis) for axis in document["axes"]),
        bool(document["is_quantized"]),
        tuple(int(size) for size in document.get("split", ())),
        tuple(int(channel) for channel in document.get("kept", ())),
        int(document.get("channels", 0)),
    )
