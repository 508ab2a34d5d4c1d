"""What the host makes of an output's integers, where that is arithmetic element by element."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from lutloom.core.host import Binary, BinaryKind, ToShape
from lutloom.sim.engine.storage import Layout, Storage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.ports import OutputPort
    from lutloom.core.types import TensorType
    from lutloom.sim.engine.planner import Kept, Planner
    from lutloom.sim.engine.program import Operand

# By the numbers of native/tail.cpp, and whether the operand comes first.
_OPERATIONS = {
    (BinaryKind.ADD, False): 0,
    (BinaryKind.ADD, True): 0,
    (BinaryKind.SUB, False): 1,
    (BinaryKind.MUL, False): 2,
    (BinaryKind.MUL, True): 2,
    (BinaryKind.DIV, False): 3,
    (BinaryKind.SUB, True): 4,
    (BinaryKind.DIV, True): 5,
}


@dataclass(frozen=True, eq=False)
class Tail:
    """``Tail`` of native/tail.cpp."""

    x: Operand
    y: int
    elements: int
    period: int
    scale: NDArray[np.float64]
    bias: NDArray[np.float64]
    operations: int
    kinds: NDArray[np.int64]
    periods: NDArray[np.int64]
    offsets: NDArray[np.int64]
    operands: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Reals:
    """``scale * x + bias`` in float64, rounded to float32, and ``operations`` on those, by number.

    Each array holds one number, or one for each element of an image.
    """

    scale: NDArray[np.float64]
    bias: NDArray[np.float64]
    operations: tuple[tuple[int, NDArray[np.float32]], ...]


def reals_of(port: OutputPort, tensor: TensorType) -> Reals | None:
    """Return how the output ``port`` is made of integers in the order of the model's axes.

    None where that is no arithmetic of single elements. ``tensor`` is the type of the graph's
    output, in its own order.
    """
    import numpy as np

    if port.is_integer or port.meaning.kept or port.meaning.split:
        return None

    def moved(entries: tuple[Fraction, ...]) -> NDArray[np.float64]:
        numbers = np.array([float(entry) for entry in entries])
        if len(numbers) == 1:
            return numbers
        whole = np.broadcast_to(numbers, (1, *tensor.shape))
        return np.ascontiguousarray(port.meaning.in_model_order(whole)).ravel()

    shape = tuple(tensor.shape[axis] for axis in np.argsort(port.meaning.axes))
    operations = []
    for step in port.tail:
        match step:
            case ToShape(wanted):
                shape = wanted
            case Binary(kind, operand, is_first) if (kind, is_first) in _OPERATIONS:
                operations.append((_OPERATIONS[kind, is_first], _by_element(operand, shape)))
            case _:
                return None
    return Reals(moved(port.meaning.scale), moved(port.meaning.bias), tuple(operations))


def lower_tail(planner: Planner, value: str, reals: Reals) -> Kept:
    """Add the step that makes ``reals`` of ``value``, and return where they are."""
    import numpy as np

    from lutloom.sim.engine.planner import Kept

    x, elements = planner.dense(value), planner.type(value).size
    period = max(reals.scale.size, reals.bias.size)
    scale, bias = (np.broadcast_to(table, period).copy() for table in (reals.scale, reals.bias))
    sizes = [operand.size for _, operand in reals.operations]
    y = Kept(planner.scratch(4 * elements), Storage(Layout.FLOAT32))
    step = Tail(
        x=x.operand,
        y=y.buffer,
        elements=elements,
        period=period,
        scale=scale,
        bias=bias,
        operations=len(sizes),
        kinds=np.array([kind for kind, _ in reals.operations], np.int64),
        periods=np.array(sizes, np.int64),
        offsets=np.cumsum([0, *sizes], dtype=np.int64),
        operands=np.concatenate([np.zeros(0, np.float32), *(o for _, o in reals.operations)]),
    )
    planner.add("tail", step, (x.buffer,), (y.buffer,))
    return y


def _by_element(operand: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return ``operand`` for each element of ``shape``, or the one number that it is."""
    import numpy as np

    if operand.size == 1:
        return operand.reshape(1)
    return np.ascontiguousarray(np.broadcast_to(operand, shape).ravel())
