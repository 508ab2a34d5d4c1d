"""BatchNormalization at inference: ``A x + B``.

``A = gamma / sqrt(variance + epsilon)``, the exact real rounded once to float64 (the float32
parameters and the float32 epsilon being exactly the numbers they encode), ``B = beta - mean * A``.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from lutloom.core.rational import sqrt_to_float64
from lutloom.streamline.align import aligned, compact
from lutloom.streamline.context import required, required_constant
from lutloom.streamline.errors import ModelError
from lutloom.streamline.rules.host import host_only
from lutloom.streamline.scaling import scale_and_shift
from lutloom.streamline.symbols import Curve, Scaled
from lutloom.streamline.window_attributes import image_axes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lutloom.streamline.context import Context, Inputs
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Symbol

_DEFAULT_EPSILON = 9.999999747378752e-06  # float32(1e-5)


def batch_norm(node: SourceNode, inputs: Inputs, context: Context) -> Symbol:
    """Return the normalized data, channels being the model's axis 1, or the last one."""
    import numpy as np

    x = required(node, inputs, 0)
    # Before opset 14 the statistics of the batch are what a node in training mode returns.
    if node.integer("training_mode", 0) or any(node.outputs[1:]):
        raise ModelError(f"{node} is in training mode: export the model in evaluation mode")
    if not node.integer("spatial", 1):
        raise ModelError(
            f"{node} normalizes every element by itself (spatial=0); export it with opset 9"
        )
    names = ("scale", "bias", "mean", "variance")
    gamma, beta, mean, variance = (
        required_constant(node, inputs, index, name).reals() for index, name in enumerate(names, 1)
    )
    if not isinstance(x, (Scaled, Curve)):
        return host_only(node, inputs, context)
    channels = [1] * (len(x.shape) + 1)
    channels[1 + image_axes(node, len(x.shape))[-1]] = -1
    exact = [
        aligned(node, x, array.reshape(channels), name)
        for array, name in zip((gamma, beta, mean, variance), names, strict=True)
    ]
    epsilon = Fraction(epsilon_of(node))
    squares = exact[3] + epsilon
    if any(value <= 0 for value in np.asarray(squares).ravel()):
        raise ModelError(f"{node}: a variance plus epsilon is not positive: train the model again")
    factor = compact(_factors(exact[0], np.asarray(squares)))
    shift = np.asarray(exact[1] - exact[2] * factor)
    return scale_and_shift(x, factor, shift).after(node)


def epsilon_of(node: SourceNode) -> float:
    """Return the float32 epsilon of a batch normalization, exactly."""
    import numpy as np

    return float(np.float32(node.number("epsilon", _DEFAULT_EPSILON)))


def _factors(gamma: NDArray[Any], squares: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    def factor(numerator: Fraction, square: Fraction) -> Fraction:
        root = sqrt_to_float64(numerator * numerator / square)
        return -root if numerator < 0 else root

    return np.asarray(np.frompyfunc(factor, 2, 1)(gamma, squares), dtype=object)
