"""Write a QONNX network by hand, compile it, and check all of its inputs.

    python tiny_network.py OUTPUT

Three bytes go in. A product with weights of -1 and +1, a batch normalization (one factor of it
negative), a two-bit quantizer, a second product and the argmax follow.
"""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

import lutloom

if TYPE_CHECKING:
    from numpy.typing import NDArray

FIRST = np.array([[1, -1], [1, 1], [-1, 1]], np.float32)
SECOND = np.array([[1, -1, 1], [-1, 1, 1]], np.float32)
GAMMA = np.array([0.5, -0.25], np.float32)
BETA = np.array([0.5, 1.0], np.float32)


def write_model(path: Path) -> None:
    """Write the network; its input stands for ``byte / 4``."""
    constants = {
        "first": FIRST,
        "second": SECOND,
        "gamma": GAMMA,
        "beta": BETA,
        "mean": np.zeros(2, np.float32),
        "variance": np.ones(2, np.float32),
        "one": np.array(1.0, np.float32),
        "half": np.array(0.5, np.float32),
        "zero": np.array(0.0, np.float32),
        "two": np.array(2.0, np.float32),
    }
    qonnx = "qonnx.custom_op.general"
    nodes = [
        helper.make_node("BipolarQuant", ["first", "one"], ["w1"], "weights1", domain=qonnx),
        helper.make_node("MatMul", ["x", "w1"], ["sum1"], "layer1"),
        helper.make_node(
            "BatchNormalization",
            ["sum1", "gamma", "beta", "mean", "variance"],
            ["normal"],
            "normalize",
            epsilon=0.0,
        ),
        helper.make_node(
            "Quant",
            ["normal", "half", "zero", "two"],
            ["levels"],
            "quantize",
            domain=qonnx,
            signed=0,
            narrow=0,
            rounding_mode="ROUND",
        ),
        helper.make_node("BipolarQuant", ["second", "one"], ["w2"], "weights2", domain=qonnx),
        helper.make_node("MatMul", ["levels", "w2"], ["sum2"], "layer2"),
        helper.make_node("ArgMax", ["sum2"], ["class"], "largest", axis=1, keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("class", TensorProto.INT64, ["batch"])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(qonnx, 1)]
    save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)


def on_paper(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the classes; every float64 here is exact: few bits, scales that are powers of two."""
    normal = codes / 4 @ FIRST * GAMMA + BETA
    levels = np.clip(np.round(normal / 0.5), 0, 3) * 0.5
    classes: NDArray[np.int64] = (levels @ SECOND).argmax(axis=1)
    return classes


def main(output: Path) -> int:
    """Build the network in ``output``; return how many of its 512 inputs have another class."""
    output.mkdir(parents=True, exist_ok=True)
    model = output / "tiny.onnx"
    write_model(model)
    inspection = lutloom.inspect(model, input_type="uint3", input_scale="1/4")
    for layer in inspection.layers:
        print(f"{layer.name:10} {layer.operator:10} {layer.output}")

    build = lutloom.compile(model, output / "build", input_type="uint3", input_scale="1/4")
    codes = np.array(list(product(range(8), repeat=3)))
    classes = lutloom.simulate(build, codes).outputs.ravel()
    differing = int((classes != on_paper(codes)).sum())
    print(f"{differing} of {len(codes)} inputs differ")
    return differing


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: tiny_network.py OUTPUT")
    sys.exit(1 if main(Path(sys.argv[1])) else 0)
