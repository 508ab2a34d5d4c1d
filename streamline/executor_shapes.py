"""The types and shapes of all tensors of a model, QONNX's own operators included.

ONNX infers shapes of its own operators only, so each of QONNX's is replaced by some of ONNX's whose
result has the same shape. qonnx does so too, but for one layer after another: it needs the shape in
front of a channels-last convolution before it can hide it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lutloom.streamline.source import STANDARD_DOMAINS

if TYPE_CHECKING:
    import onnx
    from onnx import NodeProto, ValueInfoProto


def infer_shapes(model: onnx.ModelProto) -> list[ValueInfoProto]:
    """Return what is known of the tensors inside of ``model`` and of its outputs.

    Those of which nothing is known are floats of an open shape.
    """
    import onnx
    from onnx import TensorProto, helper

    hidden = onnx.ModelProto()
    hidden.CopyFrom(model)
    del hidden.graph.node[:]
    for node in model.graph.node:
        if node.domain in STANDARD_DOMAINS:
            hidden.graph.node.append(_without_ceil(node, hidden))
        else:
            hidden.graph.node.extend(_stand_ins(node, hidden.graph))
    inferred = onnx.shape_inference.infer_shapes(hidden, data_prop=True).graph
    known = {entry.name: entry for entry in (*inferred.value_info, *inferred.output)}
    given = {entry.name for entry in (*model.graph.input, *model.graph.initializer)}
    names = [name for node in model.graph.node for name in node.output if name not in given]
    return [
        known.get(name) or helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        for name in names
        if name
    ]


def _without_ceil(node: NodeProto, model: onnx.ModelProto) -> NodeProto:
    """Return ``node`` with a result of the shape that it has: a Reshape for a pool in `ceil_mode`.

    ONNX counts a last window that begins behind the image, and ONNX Runtime does not compute it.
    ``model`` holds what comes before.
    """
    import onnx
    from onnx import TensorProto, helper

    attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
    if node.op_type not in {"AveragePool", "MaxPool"} or not attributes.get("ceil_mode", 0):
        return node
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    known = {entry.name: entry for entry in (*inferred.input, *inferred.value_info)}
    x = known.get(node.input[0])
    if x is None or attributes.get("auto_pad", b"NOTSET") not in {b"NOTSET", b""}:
        return node
    shape = [dim.dim_value for dim in x.type.tensor_type.shape.dim]
    kernel = attributes["kernel_shape"]
    ones = [1] * len(kernel)
    pads = attributes.get("pads") or [0, 0] * len(kernel)
    for axis, taps in enumerate(kernel):
        stride = (attributes.get("strides") or ones)[axis]
        extent = (attributes.get("dilations") or ones)[axis] * (taps - 1) + 1
        before, size = pads[axis], shape[2 + axis]
        results = -(-(size + before + pads[len(kernel) + axis] - extent) // stride) + 1
        shape[2 + axis] = results - ((results - 1) * stride >= size + before)
    sizes = f"{node.output[0]}/sizes"
    model.graph.initializer.append(
        helper.make_tensor(sizes, TensorProto.INT64, [len(shape)], shape)
    )
    return helper.make_node("Reshape", [node.input[0], sizes], [node.output[0]])


def _stand_ins(node: NodeProto, graph: onnx.GraphProto) -> list[NodeProto]:
    from onnx import helper

    attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
    x, y = node.input[0], node.output[0]
    match node.op_type:
        case "XnorPopcountMatMul":
            return [helper.make_node("MatMul", node.input, [y])]
        case "Im2Col":
            return _im2col(node, graph)
        case "QuantAvgPool2d":
            size, stride = attributes["kernel"], attributes["stride"]
            windows: dict[str, Any] = {"kernel_shape": [size, size], "strides": [stride, stride]}
            pool = ("AveragePool", windows)
            if attributes.get("data_layout", b"NCHW") == b"NHWC":
                return _channels_first(*pool, [x], y, rank=4)
            return [helper.make_node(pool[0], [x], [y], **windows)]
        case "Conv" | "MaxPool" | "MaxPoolNHWC":
            kind = node.op_type.removesuffix("NHWC")
            pooled = attributes.get("kernel_shape")
            rank = 2 + len(pooled) if pooled else _rank_of_weights(node, graph)
            return _channels_first(kind, attributes, list(node.input), y, rank=rank)
        case _:
            return [helper.make_node("Identity", [x], [y])]


def _rank_of_weights(node: NodeProto, graph: onnx.GraphProto) -> int:
    """Return the rank of a convolution's weights: that of the constant that they are made of."""
    ranks = {entry.name: len(entry.dims) for entry in graph.initializer}
    producers = {name: made for made in graph.node for name in made.output}
    name = node.input[1]
    while name in producers and producers[name].input:
        name = producers[name].input[0]
    if name in producers:  # a Constant node
        return len(producers[name].attribute[0].t.dims)
    return ranks.get(name, 4)


def _channels_first(
    kind: str, attributes: dict[str, Any], inputs: Sequence[str], y: str, *, rank: int
) -> list[NodeProto]:
    """Return the operator between transpositions; the weights of a convolution are moved too."""
    from onnx import helper

    to_first = [0, rank - 1, *range(1, rank - 1)]
    to_last = [0, *range(2, rank), 1]
    moved = [f"{y}/first{index}" for index in range(2 if kind == "Conv" else 1)]
    return [
        *(
            helper.make_node("Transpose", [name], [first], perm=to_first)
            for name, first in zip(inputs, moved, strict=False)
        ),
        helper.make_node(kind, [*moved, *inputs[len(moved) :]], [f"{y}/first"], **attributes),
        helper.make_node("Transpose", [f"{y}/first"], [y], perm=to_last),
    ]


def _im2col(node: NodeProto, graph: onnx.GraphProto) -> list[NodeProto]:
    """Return a convolution with as many filters as the rows of an ``Im2Col`` are long."""
    from onnx import TensorProto, helper

    attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
    channels = int(attributes["input_shape"].decode().strip("()").split(",")[-1])
    height, width = attributes["kernel_size"]
    weights = f"{node.output[0]}/weights"
    graph.input.append(
        helper.make_tensor_value_info(
            weights, TensorProto.FLOAT, [height * width * channels, height, width, channels]
        )
    )
    named = {"strides": "stride", "pads": "pad_amount", "dilations": "dilations"}
    given = {name: attributes[own] for name, own in named.items() if own in attributes}
    return _channels_first("Conv", given, [node.input[0], weights], node.output[0], rank=4)
