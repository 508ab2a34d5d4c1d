"""How far ONNX Runtime's float32 functions are from the real ones: measured, not proved.

IEEE 754 says how sums, products, quotients and square roots are rounded. Nothing says it of a
sigmoid: ONNX Runtime evaluates polynomials of its own, with other ones on other processors. So its
functions were measured (``benchmarks/function_errors.py``, which measures again), and what is
allowed here is at least three times the largest error that was found, in units of u = 2^-24:

    |computed(x) - f(x)| <= u (relative |f(x)| + of_argument |x| + absolute) + underflow

That is the one place of the comparison that no proof covers. An executor that is further off is
found out, since every float that it computes is compared with its bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

MEASURED_WITH = "ONNX Runtime 1.31.1 on x86-64 with AVX-512"


@dataclass(frozen=True, slots=True)
class FunctionError:
    """What is allowed, in units of 2^-24, and the largest ``measured`` share of one ``u (...)``.

    ``measured`` is in the units of the one coefficient that is not zero.
    """

    relative: float = 0.0
    of_argument: float = 0.0
    absolute: float = 0.0
    measured: float = 0.0


FUNCTION_ERRORS: Mapping[str, FunctionError] = MappingProxyType(
    {
        "Celu": FunctionError(absolute=6, measured=1.7),
        "Elu": FunctionError(absolute=6, measured=1.4),
        "Erf": FunctionError(relative=6, measured=1.4),
        "Exp": FunctionError(relative=6, measured=1.3),
        "Gelu": FunctionError(of_argument=8, measured=2.0),
        "Gelu tanh": FunctionError(of_argument=12, measured=3.3),
        "HardSwish": FunctionError(of_argument=8, measured=1.6),
        "Log": FunctionError(relative=12, measured=3.9),
        "Mish": FunctionError(relative=32, measured=8.6),
        "Pow": FunctionError(relative=8, measured=2.0),
        "Selu": FunctionError(absolute=8, measured=1.6),
        "Sigmoid": FunctionError(absolute=10, measured=3.0),
        "Softplus": FunctionError(relative=20, measured=5.8),
        "Softsign": FunctionError(relative=12, measured=4.0),
        "Tanh": FunctionError(relative=20, measured=5.4),
    }
)
"""By operator. Elu and Celu times their alpha, Selu times its alpha and gamma."""
