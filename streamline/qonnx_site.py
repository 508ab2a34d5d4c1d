"""Where a node of the integer graph stands while it is written as QONNX, and what float32 holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.core.errors import LutloomError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lutloom.core.graph import Node
    from lutloom.core.types import IntType, TensorType
    from lutloom.streamline.qonnx_writer import QonnxWriter

# float32 holds every integer up to this magnitude, and this one is not reached.
_LIMIT = 2**24


class NotQonnxError(LutloomError, ValueError):
    """A graph that QONNX can't say exactly: the node, and why."""


def check_size(what: object, type_: IntType) -> None:
    """Raise ``NotQonnxError`` unless float32 holds all integers as large as those of ``type_``."""
    largest = max(-type_.lo, type_.hi)
    if largest >= _LIMIT:
        raise NotQonnxError(
            f"QONNX can't say {what} exactly: its integers reach {largest:,}, and float32 holds all"
            " integers below 2^24 only"
        )


def largest(element: IntType) -> int:
    """Return the largest magnitude of the integers of ``element``, or 0."""
    return max(-element.lo, element.hi)


@dataclass(frozen=True, slots=True)
class Site:
    """Where a node stands: its only or first input and result, and what to write to."""

    writer: QonnxWriter
    node: Node
    types: Mapping[str, TensorType]

    @property
    def x(self) -> str:
        """The input, or the first one."""
        return self.node.inputs[0]

    @property
    def y(self) -> str:
        """The result, or the first one."""
        return self.node.results[0]

    @property
    def x_type(self) -> TensorType:
        """The type of ``x``."""
        return self.types[self.x]

    @property
    def y_type(self) -> TensorType:
        """The type of ``y``."""
        return self.types[self.y]

    def check_sum(self, reach: float) -> None:
        """Refuse partial sums of magnitude ``reach`` or less, if they leave the limit."""
        if reach >= _LIMIT:
            raise NotQonnxError(
                f"QONNX can't say {self.node} exactly: its partial sums may reach {reach:,.0f}, and"
                " float32 holds all integers below 2^24 only"
            )

    def check_constants(self, largest: int) -> None:
        """Refuse constants of magnitude ``largest``, if they leave the limit: where x is 0, say."""
        if largest >= _LIMIT:
            raise NotQonnxError(
                f"QONNX can't say {self.node} exactly: its constants reach {largest:,}, and float32"
                " holds all integers below 2^24 only"
            )

    def helper(self, suffix: str, element: IntType | None) -> str:
        """Add a value like the result that is none of the graph's; return its name."""
        writer = self.writer
        return writer.value(writer.fresh(f"{self.y}/{suffix}"), element, self.y_type.shape)
