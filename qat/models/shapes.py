"""Which shapes of inputs a family of models takes, and how that is said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Images:
    """Images (C, H, W): of exactly ``side`` x ``side`` pixels, or at least ``least`` x ``least``.

    ``is_square`` says that they are square; sides are multiples of ``multiple``, and there are
    ``channels`` of them, or any number.
    """

    side: int | None = None
    least: int = 1
    multiple: int = 1
    is_square: bool = False
    channels: int | None = None

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Return whether a model can be built for ``shape``."""
        if len(shape) != 3 or min(shape) < 1 or self.channels not in {None, shape[0]}:
            return False
        height, width = shape[1:]
        if self.side is not None:
            return height == width == self.side
        return (
            min(height, width) >= self.least
            and height % self.multiple == width % self.multiple == 0
            and (height == width or not self.is_square)
        )

    def __str__(self) -> str:
        of = "" if self.channels is None else f" with {self.channels} channels"
        if self.side is not None:
            return f"images of {self.side}x{self.side} pixels{of}"
        square = "square images" if self.is_square else "images"
        if self.multiple > 1:
            return f"{square}{of} whose sides are multiples of {self.multiple}"
        return f"{square}{of} of at least {self.least}x{self.least} pixels"


@dataclass(frozen=True, slots=True)
class Signals:
    """Signals (C, length), or images of one row (C, 1, length), of at least ``least`` samples."""

    least: int

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Return whether a model can be built for ``shape``."""
        is_row = len(shape) == 3 and shape[1] == 1
        return (len(shape) == 2 or is_row) and min(shape) >= 1 and shape[-1] >= self.least

    def __str__(self) -> str:
        return f"signals of at least {self.least} samples, as one row"


@dataclass(frozen=True, slots=True)
class Numbers:
    """Whatever there is, as one row of numbers."""

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Return whether a model can be built for ``shape``."""
        return len(shape) > 0 and min(shape) >= 1

    def __str__(self) -> str:
        return "anything"


Shapes: TypeAlias = Images | Signals | Numbers
