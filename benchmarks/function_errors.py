"""Measure how far ONNX Runtime's float32 functions are from the real ones, beside what is allowed.

    python benchmarks/function_errors.py [--step 1021] [FUNCTION ...]

Each function is run as qonnx's executor runs it, in a session of one node, on every ``step``-th
float32 number of both signs, and on a dense grid where it bends; ``--step 1`` takes all of them.
Compared with float64, whose own error is a 2^-26th of a unit. The largest error, in the units of
``streamline/function_errors.py``, must stay below what is allowed there; it ends with an error if
one does not.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import erf, erfc, pi, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from rich.console import Console
from rich.table import Table

from lutloom.streamline.function_errors import FUNCTION_ERRORS, MEASURED_WITH, FunctionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

U = 2.0**-24
# What an underflow may cost, and what is compared no further: below it, and where float32 ends.
UNDERFLOW = 2.0**-138
LARGEST = 2.0**127
CHUNK = 1 << 22
OPSET = 20


@dataclass(frozen=True)
class Measured:
    """One function: how ONNX calls it, and what it is."""

    function: Callable[[Floats], Floats]
    operator: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    exponent: float | None = None
    positive: bool = False
    size: float = 1.0
    """What its error is a multiple of: alpha, or alpha times gamma."""


def by_number(function: Callable[[float], float]) -> Callable[[Floats], Floats]:
    """Return a function of ``math`` as one of arrays."""
    return lambda x: np.fromiter(map(function, x.ravel().tolist()), np.float64, x.size)


def sigmoid(x: Floats) -> Floats:
    """Return ``1 / (1 + exp(-x))`` without overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def softplus(x: Floats) -> Floats:
    """Return ``log(1 + exp(x))`` without overflow."""
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


def exponential(alpha: float, gamma: float, width: float) -> Callable[[Floats], Floats]:
    """Return ``gamma alpha (exp(x / width) - 1)`` below zero, ``gamma x`` above."""

    def function(x: Floats) -> Floats:
        return np.where(x > 0, gamma * x, gamma * alpha * np.expm1(np.minimum(x, 0) / width))

    return function


def float32(value: float) -> float:
    """Return the nearest float32."""
    return float(np.float32(value))


SELU_ALPHA, SELU_GAMMA = 1.67326319217681884765625, 1.05070102214813232421875
THIRD = float32(0.3)
FUNCTIONS: dict[str, tuple[Measured, ...]] = {
    "Celu": (
        Measured(exponential(1, 1, 1)),
        Measured(exponential(THIRD, 1, THIRD), attributes={"alpha": THIRD}, size=THIRD),
        Measured(exponential(3, 1, 3), attributes={"alpha": 3.0}, size=3),
    ),
    "Elu": (
        Measured(exponential(1, 1, 1)),
        Measured(exponential(THIRD, 1, 1), attributes={"alpha": THIRD}, size=THIRD),
    ),
    "Erf": (Measured(by_number(erf)),),
    "Exp": (Measured(np.exp),),
    "Gelu": (Measured(lambda x: x * by_number(erfc)(x / -sqrt(2)) / 2),),
    "Gelu tanh": (
        Measured(
            lambda x: x * sigmoid(2 * sqrt(2 / pi) * (x + 0.044715 * x**3)),
            operator="Gelu",
            attributes={"approximate": "tanh"},
        ),
    ),
    "HardSwish": (Measured(lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),),
    "Log": (Measured(np.log, positive=True),),
    "Mish": (Measured(lambda x: x * np.tanh(softplus(x))),),
    "Pow": tuple(
        Measured(lambda x, p=p: np.power(x, p), exponent=p, positive=p != round(p))  # type: ignore[misc]
        for p in (3.0, 4.0, 0.5, 1.5, -1.0, 2.25)
    ),
    "Selu": (Measured(exponential(SELU_ALPHA, SELU_GAMMA, 1), size=SELU_ALPHA * SELU_GAMMA),),
    "Sigmoid": (Measured(sigmoid),),
    "Softplus": (Measured(softplus),),
    "Softsign": (Measured(lambda x: x / (1 + np.abs(x))),),
    "Tanh": (Measured(np.tanh),),
}


def session(name: str, case: Measured) -> onnxruntime.InferenceSession:
    """Return a session of one node, as qonnx's executor makes one."""
    inputs = ["x"] if case.exponent is None else ["x", "p"]
    constants = (
        []
        if case.exponent is None
        else [numpy_helper.from_array(np.array(case.exponent, dtype=np.float32), "p")]
    )
    graph = helper.make_graph(
        [helper.make_node(case.operator or name, inputs, ["y"], **case.attributes)],
        "function",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N"])],
        constants,
    )
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    return onnxruntime.InferenceSession(model.SerializeToString())


def arguments(step: int) -> Iterator[NDArray[np.float32]]:
    """Yield finite float32 numbers: every ``step``-th of all, and a dense grid around zero."""
    for start in range(0, 1 << 32, CHUNK * step):
        bits = np.arange(start, min(start + CHUNK * step, 1 << 32), step, dtype=np.int64)
        floats = bits.astype(np.uint32).view(np.float32)
        yield floats[np.isfinite(floats)]
    yield np.linspace(-32, 32, 2_000_001, dtype=np.float64).astype(np.float32)


def measure(name: str, case: Measured, allowed: FunctionError, step: int) -> tuple[float, float]:
    """Return the largest error in the units of ``allowed``, and where it is."""
    run = session(name, case)
    worst, where = 0.0, 0.0
    with np.errstate(all="ignore"):
        for floats in arguments(step):
            x = floats[floats > 0] if case.positive else floats
            if not x.size:
                continue
            computed = run.run(None, {"x": x})[0].astype(np.float64)
            wide = x.astype(np.float64)
            exact = case.function(wide)
            unit = (
                bool(allowed.relative) * np.abs(exact)
                + bool(allowed.of_argument) * np.abs(wide)
                + bool(allowed.absolute) * case.size
            )
            underflow = UNDERFLOW * (1 + np.minimum(np.abs(wide), 2.0**64))
            error = np.maximum(np.abs(computed - exact) - underflow, 0.0)
            compared = np.isfinite(exact) & (np.abs(exact) < LARGEST) & (error > 0)
            if case.size != 1.0 or allowed.absolute:
                # Above zero it is a product, or nothing at all: rounded, not measured.
                compared &= (wide < 0) | (name == "Sigmoid")
            ratio = np.where(compared, error / (U * unit), 0.0)
            place = int(np.argmax(ratio))
            if ratio[place] > worst:
                worst, where = float(ratio[place]), float(x[place])
    return worst, where


def main() -> None:
    """Print a table of functions, and end with an error if one is further off than allowed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("functions", nargs="*", help=", ".join(FUNCTIONS))
    parser.add_argument("--step", type=int, default=1021)
    options = parser.parse_args()
    table = Table("function", "unit", "measured", "at", "recorded", "allowed", box=None)
    failures = 0
    for name in options.functions or FUNCTIONS:
        allowed = FUNCTION_ERRORS[name]
        unit, limit = next(
            (unit, value)
            for unit, value in (
                ("u |f(x)|", allowed.relative),
                ("u |x|", allowed.of_argument),
                ("u", allowed.absolute),
            )
            if value
        )
        found = [measure(name, case, allowed, options.step) for case in FUNCTIONS[name]]
        worst, where = max(found)
        failures += worst > limit
        numbers = (f"{worst:.2f}", f"{where:.6g}", f"{allowed.measured:g}", f"{limit:g}")
        table.add_row(name, unit, *numbers)
    Console().print(table)
    print(f"ONNX Runtime {onnxruntime.__version__} on {platform.machine()}; recorded:")
    print(f"{MEASURED_WITH}. {failures} functions are further off than allowed.")
    raise SystemExit(bool(failures))


if __name__ == "__main__":
    main()
