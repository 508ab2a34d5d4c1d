"""A model whose functions of constants are constants: what every runtime then agrees on.

Runtimes differ in the last bit of a logarithm, and the bits of a quantizer may hang on it. Only
those nodes are folded, and the constants that they are computed from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.streamline.constant_functions import FUNCTIONS
from lutloom.streamline.fold import constant_of, fold
from lutloom.streamline.source import STANDARD_DOMAINS
from lutloom.streamline.symbols import Constant

if TYPE_CHECKING:
    import onnx

    from lutloom.streamline.source import Source


def fold_functions(model: onnx.ModelProto, source: Source) -> None:
    """Replace every function of constants in ``model``, whose nodes ``source`` holds, by its value.

    Raises ``ModelError`` if one can't be evaluated.
    """
    from onnx import numpy_helper

    wanted: set[str] = set()
    for node in reversed(source.nodes):
        is_wanted = node.op_type in FUNCTIONS or not wanted.isdisjoint(node.outputs)
        if is_wanted and node.domain in STANDARD_DOMAINS:
            wanted.update(node.inputs)
    known = {name: Constant(array) for name, array in source.constants.items() if name in wanted}
    values: dict[str, Constant] = {}
    for node in source.nodes:
        if node.domain not in STANDARD_DOMAINS or not node.outputs:
            continue
        output = node.outputs[0]
        if node.op_type == "Constant" and output in wanted:
            known[output] = constant_of(node)
        elif node.inputs and all(name in known for name in node.inputs if name):
            if output not in wanted and node.op_type not in FUNCTIONS:
                continue
            inputs = [known[name] if name else None for name in node.inputs]
            known[output] = fold(node, inputs, source.opset)
            if node.op_type in FUNCTIONS:
                values[output] = known[output]
    kept = [node for node in model.graph.node if not (node.output and node.output[0] in values)]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    model.graph.initializer.extend(
        numpy_helper.from_array(value.array, name) for name, value in values.items()
    )
