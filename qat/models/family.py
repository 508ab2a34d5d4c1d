"""A family of models: who builds them, for what, with which options, and who published them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from lutloom.qat.errors import TrainingError
from lutloom.qat.quantization import ActivationKind, Quantization, of_bits

if TYPE_CHECKING:
    from torch import nn

    from lutloom.qat.models.shapes import Shapes

Value: TypeAlias = bool | int | float | tuple[int, ...]
Given: TypeAlias = Value | str | list[int]


class Task(Enum):
    """What a model is for, and so what its output is."""

    CLASSIFICATION = "classification"
    RECONSTRUCTION = "reconstruction"


@dataclass(frozen=True, slots=True)
class Range:
    """Which values of an option are legal; ``is_open`` leaves out the highest.

    Whole numbers are multiples of ``multiple``. Of a tuple all this holds for each number, and
    there are 1 to ``longest``.
    """

    lowest: float = 0
    highest: float = 1
    is_open: bool = False
    multiple: int = 1
    longest: int = 16

    def holds(self, value: Value) -> bool:
        """Return whether ``value`` is legal."""
        if isinstance(value, tuple):
            return 1 <= len(value) <= self.longest and all(map(self.holds, value))
        if isinstance(value, int) and value % self.multiple:
            return False
        is_low = value < self.highest if self.is_open else value <= self.highest
        return self.lowest <= value and is_low


SWITCH = Range()
"""The range of an option that is true or false."""


@dataclass(frozen=True)
class Family:
    """Models that differ in their bits and options alone.

    ``build`` takes a quantization, an input shape, a number of classes, and the ``options``, whose
    defaults are the published model, for ``input_shape`` and ``classes``. ``bits`` are those of
    weights and activations that are usual, the first where none are asked for; ``activations`` is
    what those of two and more bits are. ``published`` is what the publication reached, with how.
    """

    name: str
    build: Callable[..., nn.Module]
    title: str
    reference: str
    shapes: Shapes
    input_shape: tuple[int, ...]
    classes: int
    bits: tuple[tuple[int, int], ...]
    options: Mapping[str, Range] = field(default_factory=dict)
    activations: ActivationKind = ActivationKind.RELU
    published: str = ""
    task: Task = Task.CLASSIFICATION

    @cached_property
    def defaults(self) -> Mapping[str, Value]:
        """The options as they are where nothing else is asked for."""
        parameters = inspect.signature(self.build).parameters
        return {name: parameters[name].default for name in self.options}

    def quantization(self, weights: int, activations: int) -> Quantization:
        """Return what so many bits mean in this family."""
        return of_bits(weights, activations, self.activations)

    def value(self, option: str, given: Given) -> Value:
        """Return what ``given`` means for an option, sizes of layers also as ``"64-32"``.

        Raises :class:`TrainingError` for one that isn't known, or a value that isn't legal.
        """
        if option not in self.options:
            known = f"its options are {', '.join(self.options)}" if self.options else "it has none"
            raise TrainingError(f"{self.name} has no option {option!r}: {known}")
        default = self.defaults[option]
        value = _converted(given, type(default))
        if value is None or not self.options[option].holds(value):
            raise TrainingError(
                f"{self.name}: {option} is {given!r}: use {_asked(self.options[option], default)}, "
                f"such as {shown(default)}"
            )
        return value


def _converted(given: Given, kind: type) -> Value | None:
    if kind is tuple:
        if isinstance(given, str):
            parts = given.split("-")
            return tuple(map(int, parts)) if all(map(str.isdecimal, parts)) else None
        if isinstance(given, (list, tuple)) and all(type(part) is int for part in given):
            return tuple(given)
        return None
    if kind is float and type(given) is int:
        return float(given)
    return given if type(given) is kind else None  # type: ignore[return-value]


def _asked(legal: Range, default: Value) -> str:
    if isinstance(default, bool):
        return "true or false"
    low, high = f"{legal.lowest:g}", f"{legal.highest:g}"
    if isinstance(default, tuple):
        return f"1 to {legal.longest} whole numbers from {low} to {high}"
    if isinstance(default, int):
        even = f"multiple of {legal.multiple}" if legal.multiple > 1 else "whole number"
        return f"a {even} from {low} to {high}"
    below = "below " if legal.is_open else ""
    return f"a number from {low} to {below}{high}"


def shown(value: Value) -> str:
    """Return a value as a recipe may have it."""
    if isinstance(value, tuple):
        return "-".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
