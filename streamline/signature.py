"""What a node has to bring: how many inputs and results, and which attributes.

Inputs that an operator does not have would be ignored, and a model that means something by them
would compute something else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.streamline.errors import ModelError
from lutloom.streamline.source import QUANTIZER_DOMAINS, STANDARD_DOMAINS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lutloom.streamline.source import SourceNode

# Of operators outside of ONNX: the fewest and most inputs.
_QUANTIZERS = {
    "BipolarQuant": (2, 2),
    "Im2Col": (1, 1),
    "IntQuant": (4, 4),
    "MaxPoolNHWC": (1, 1),
    "MultiThreshold": (2, 2),
    "Quant": (4, 4),
    "QuantAvgPool2d": (1, 1),
    "Trunc": (5, 6),
    "XnorPopcountMatMul": (2, 2),
}


def check_signature(node: SourceNode, opset: int) -> None:
    """Raise ``ModelError`` if ``node`` has too few inputs, too many, or lacks an attribute.

    Operators that nobody here knows are left to those who know that.
    """
    if node.domain in QUANTIZER_DOMAINS:
        fewest, most = _QUANTIZERS.get(node.op_type, (0, len(node.inputs)))
        _check_count(node, "inputs", node.inputs, fewest, most)
        _check_count(node, "results", node.outputs, 1, 1)
    if node.domain not in STANDARD_DOMAINS:
        return
    from onnx.defs import SchemaError, get_schema

    try:
        schema = get_schema(node.op_type, opset)
    except SchemaError:
        return
    _check_count(node, "inputs", node.inputs, schema.min_input, schema.max_input)
    _check_count(node, "results", node.outputs, schema.min_output, schema.max_output)
    for name, attribute in schema.attributes.items():
        if attribute.required and name not in node.attributes:
            raise ModelError(
                f"{node} lacks the attribute '{name}': the file is damaged; export the model again"
            )


def _check_count(node: SourceNode, what: str, names: Iterable[str], fewest: int, most: int) -> None:
    given = list(names)
    while given and not given[-1]:  # optional ones that are left out
        given.pop()
    if not fewest <= len(given) <= most:
        wanted = f"{fewest}" if fewest == most else f"{fewest} to {most}"
        raise ModelError(
            f"{node} has {len(given)} {what}, and should have {wanted}: the file is damaged, or of"
            " another opset than it says; export the model again"
        )
