"""What an operator must say about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

if TYPE_CHECKING:
    from lutloom.core.types import IntArray, TensorType


@runtime_checkable
class Op(Protocol):
    """An operator: its parameters as fields of a frozen dataclass, its meaning as two methods.

    The fields are ``int``, ``bool``, tuples of ``int``, or ``Const``: what a graph file can say.
    ``reference`` is the specification; everything generated is right when it agrees with it
    on every bit.
    """

    name: ClassVar[str]
    """The operator's one name: the stem of its file in every folder."""

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """Return the types of the results.

        Raises ``TypeError`` with a sentence if the inputs do not fit the parameters.
        """
        ...

    def reference(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """Return the results, exactly; every array has one more axis in front, the batch."""
        ...
