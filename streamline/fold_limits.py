"""What may be folded: no random numbers, and no constant that a small file makes a huge one."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.streamline.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lutloom.streamline.source import SourceNode

    Array: TypeAlias = NDArray[Any]

_RANDOM = frozenset(
    {
        "Bernoulli",
        "Multinomial",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
    }
)
# A result may have this many numbers, or a few times those that it is made of.
_MOST_NUMBERS, _MOST_TIMES = 2**24, 4
# Sizes, repeats and the like: inputs whose values a result's shape may depend on.
_MOST_SIZES = 64


def check_fold(node: SourceNode, inputs: Sequence[Array | None], opset: int) -> None:
    """Raise ``ModelError`` if ``node`` should not be evaluated for ``inputs``."""
    if node.op_type in _RANDOM:
        raise ModelError(
            f"{node} draws random numbers: every run would be another network; export the model"
            " with the constant that it should be"
        )
    size = _size_of_result(node, inputs, opset)
    given = sum(x.size for x in inputs if x is not None)
    if size is not None and size > max(_MOST_NUMBERS, _MOST_TIMES * given):
        raise ModelError(
            f"{node} makes a constant of {size:,} numbers out of {given:,}, more than any layer"
            " needs: is the file damaged?"
        )


def check_folded(node: SourceNode, result: object) -> None:
    """Raise ``ModelError`` if ``result`` is no array of numbers."""
    import numpy as np

    if not isinstance(result, np.ndarray) or result.dtype.kind not in "fiub":
        kind = result.dtype if isinstance(result, np.ndarray) else type(result).__name__
        raise ModelError(
            f"{node} makes a constant of {kind}, which is no tensor of numbers: export the model"
            " without it"
        )


def _size_of_result(node: SourceNode, inputs: Sequence[Array | None], opset: int) -> int | None:
    """Return how many numbers the first result has; None where ONNX can't tell beforehand."""
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper

    attributes: dict[str, Any] = {
        key: value for key, value in node.attributes.items() if not isinstance(value, np.ndarray)
    }
    names = ["" if x is None else f"x{index}" for index, x in enumerate(inputs)]
    given = {name: x for name, x in zip(names, inputs, strict=True) if x is not None}
    try:
        graph = helper.make_graph(
            [helper.make_node(node.op_type, names, ["y"], **attributes)],
            "size",
            [
                helper.make_tensor_value_info(
                    name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape
                )
                for name, x in given.items()
            ],
            [onnx.ValueInfoProto(name="y")],
            [numpy_helper.from_array(x, n) for n, x in given.items() if x.size <= _MOST_SIZES],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph.output[0]
    except Exception:  # noqa: BLE001 - of any class: evaluation says what is wrong
        return None
    if not inferred.type.tensor_type.HasField("shape"):
        return None
    sizes = [dim.dim_value for dim in inferred.type.tensor_type.shape.dim]
    return prod(sizes) if all(dim >= 0 for dim in sizes) else None
