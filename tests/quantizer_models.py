"""Small float models, and what ONNX Runtime's static quantizer makes of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

from tests.models import Writer, write

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SHAPE = (3, 6, 6)


def normal(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    """Return numbers for weights, or for images."""
    fan_in = int(np.prod(shape[1:])) or 1
    scale = 1.5 / fan_in**0.5 if len(shape) > 1 else 0.2
    return np.random.default_rng((seed, *shape)).normal(0, scale, shape).astype(np.float32)


def conv(w: Writer, x: str, inputs: int, outputs: int, kernel: int = 3, **more: Any) -> str:  # noqa: ANN401
    """Return a convolution of ``x`` with random weights and biases, of the same size."""
    groups, pad = more.get("group", 1), kernel // 2
    seed = len(w.nodes)
    weights = w.constant(normal(outputs, inputs // groups, kernel, kernel, seed=seed))
    bias = w.constant(normal(outputs, seed=seed))
    return w.node("Conv", [x, weights, bias], pads=[pad] * 4, **more)


def classified(w: Writer, x: str, channels: int) -> str:
    """Return the classes of an image of so many channels."""
    x = w.node("Flatten", [w.node("GlobalAveragePool", [x])])
    weights = w.constant(normal(5, channels, seed=1))
    return w.node("Gemm", [x, weights, w.constant(normal(5))], transB=1)


def residual(w: Writer) -> str:
    x = w.node("Relu", [conv(w, "x", 3, 8)])
    y = conv(w, w.node("Relu", [conv(w, x, 8, 8)]), 8, 8)
    x = w.node("Relu", [w.node("Add", [x, y])])
    shortcut = conv(w, x, 8, 12, 1, strides=[2, 2])
    y = conv(w, w.node("Relu", [conv(w, x, 8, 12, strides=[2, 2])]), 12, 12)
    x = w.node("Relu", [w.node("Add", [shortcut, y])])
    return w.node("Softmax", [classified(w, x, 12)], axis=1)


def depthwise(w: Writer) -> str:
    x = w.clip(conv(w, "x", 3, 8), 0, 6)
    y = w.clip(conv(w, x, 8, 16, 1), 0, 6)
    y = w.clip(conv(w, y, 16, 16, group=16), 0, 6)
    x = w.node("Add", [x, conv(w, y, 16, 8, 1)])
    return classified(w, w.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2]), 8)


def branches(w: Writer) -> str:
    x = w.node("LeakyRelu", [conv(w, "x", 3, 6)], alpha=0.1)
    pooled = w.node("AveragePool", [x], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    gate = w.node("Sigmoid", [conv(w, x, 6, 4, 1)])
    x = w.node("Concat", [conv(w, x, 6, 4), gate, pooled], axis=1)
    return classified(w, w.node("Relu", [conv(w, x, 14, 8, 1)]), 8)


def dense(w: Writer) -> str:
    x = w.reshape("x", (-1, 108))
    for inputs, outputs in ((108, 16), (16, 12), (12, 5)):
        weights = w.constant(normal(inputs, outputs, seed=2).T.reshape(inputs, outputs))
        x = w.node("Add", [w.node("MatMul", [x, weights]), w.constant(normal(outputs))])
        x = w.node("Relu", [x]) if outputs != 5 else x
    return x


def gated(w: Writer) -> str:
    x = w.node("Relu", [conv(w, "x", 3, 8)])
    gate = w.node("Relu", [conv(w, w.node("GlobalAveragePool", [x]), 8, 4, 1)])
    gate = w.node("Sigmoid", [conv(w, gate, 4, 8, 1)])
    return classified(w, w.node("Mul", [x, gate]), 8)


def enlarged(w: Writer) -> str:
    x = w.node("Relu", [conv(w, "x", 3, 8, strides=[2, 2])])
    how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    x = w.node("Resize", [x, "", w.constant([1, 1, 2, 2])], mode="nearest", **how)
    x = w.node("Concat", [x, w.node("Relu", [conv(w, "x", 3, 8)])], axis=1)
    return conv(w, x, 16, 4)


def shuffled(w: Writer) -> str:
    x = conv(w, w.node("Relu", [conv(w, "x", 3, 8)]), 8, 8, 1, group=2)
    x = w.node("Transpose", [w.reshape(x, (0, 2, 4, 6, 6))], perm=[0, 2, 1, 3, 4])
    x = conv(w, w.reshape(x, (0, 8, 6, 6)), 8, 8, group=8)
    return classified(w, w.node("HardSwish", [x]), 8)


def constants(w: Writer) -> str:
    """Return a network whose constants are quantized too, a scalar among them."""
    x = w.node("Mul", [w.node("Relu", [conv(w, "x", 3, 8)]), w.constant(0.7)])
    x = w.node("Add", [x, w.constant(np.linspace(-1, 1, 8).reshape(1, 8, 1, 1))])
    return classified(w, w.node("Tanh", [conv(w, x, 8, 8, 1)]), 8)


NETWORKS: Mapping[str, Callable[[Writer], str]] = {
    "residual": residual,
    "depthwise": depthwise,
    "branches": branches,
    "dense": dense,
}

MORE: Mapping[str, Callable[[Writer], str]] = {
    "gated": gated,
    "enlarged": enlarged,
    "shuffled": shuffled,
    "constants": constants,
}


class _Images(CalibrationDataReader):  # type: ignore[misc] # of an untyped library
    def __init__(self, images: NDArray[np.float32]) -> None:
        self.images: Iterator[NDArray[np.float32]] = iter(images)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        image = next(self.images, None)
        return None if image is None else {"x": image[np.newaxis]}


def images(count: int, seed: int = 0) -> NDArray[np.float32]:
    """Return images that the networks may be given."""
    return np.random.default_rng(seed).normal(0.3, 1, (count, *SHAPE)).astype(np.float32)


def quantized(name: str, directory: Path, opset: int = 13, **options: Any) -> Path:  # noqa: ANN401
    """Return the path of a network of the above in QDQ form; ``options`` are the quantizer's."""
    w = Writer(opset=opset)
    output = (NETWORKS.get(name) or MORE[name])(w)
    path = write(w.model(output, *SHAPE), directory, "float.onnx")
    result = directory / "quantized.onnx"
    reader = _Images(images(8, seed=1))
    logging.disable(logging.WARNING)  # it advises to preprocess the model
    try:
        quantize_static(path, result, reader, quant_format=QuantFormat.QDQ, **options)
    finally:
        logging.disable(logging.NOTSET)
    return result
