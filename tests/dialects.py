"""Six small networks, to the letter of the dialects that public models are written in.

Node for node what the exporters of their time wrote: operators, domains, opsets, names of
tensors, where constants lie, what is annotated. Only the sizes and the weights are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from onnx import StringStringEntryProto, TensorAnnotation, TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray
    from onnx import ModelProto, NodeProto

    Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True)
class Opset:
    """What a file says of itself."""

    version: int
    ir_version: int
    domain: str
    domain_version: int = 1


class File:
    """An ONNX file while it is being written, tensor by tensor, as the exporter names them."""

    def __init__(self, opset: Opset) -> None:
        self.opset = opset
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []
        self.annotations: dict[str, str] = {}

    def initializer(self, name: str, values: ArrayLike, datatype: str | None = None) -> str:
        """Hold ``values`` as float32, annotated with a ``finn_datatype`` where one is given."""
        self.initializers.append(numpy_helper.from_array(np.array(values, np.float32), name))
        if datatype is not None:
            self.annotations[name] = datatype
        return name

    def integers(self, name: str, values: Sequence[int]) -> str:
        self.initializers.append(numpy_helper.from_array(np.array(values, np.int64), name))
        return name

    def constant(self, name: str, values: ArrayLike, dtype: Any = np.float32) -> str:  # noqa: ANN401
        """Hold ``values`` in a Constant node, as the tracer of PyTorch did."""
        value = numpy_helper.from_array(np.array(values, dtype))
        return self.node("Constant", [], name, value=value)

    def node(
        self,
        kind: str,
        inputs: Sequence[str],
        *outputs: str,
        name: str = "",
        domain: str = "",
        **attributes: Any,  # noqa: ANN401 - whatever ONNX takes
    ) -> str:
        made = helper.make_node(kind, inputs, outputs, name=name, domain=domain)
        made.attribute.extend(helper.make_attribute(k, v) for k, v in attributes.items())
        self.nodes.append(made)
        return outputs[-1]

    def quantizer(
        self,
        kind: str,
        inputs: Sequence[str],
        output: str,
        name: str = "",
        **attributes: Any,  # noqa: ANN401 - as above
    ) -> str:
        return self.node(kind, inputs, output, name=name, domain=self.opset.domain, **attributes)

    def model(
        self,
        x: str,
        shape: Sequence[int],
        y: str,
        y_shape: Sequence[int],
        *,
        initializers_are_inputs: bool = False,
        y_type: int = TensorProto.FLOAT,
    ) -> ModelProto:
        inputs = [helper.make_tensor_value_info(x, TensorProto.FLOAT, shape)]
        if initializers_are_inputs:
            inputs += [
                helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
                for tensor in self.initializers
            ]
        graph = helper.make_graph(
            self.nodes,
            "torch-jit-export",
            inputs,
            [helper.make_tensor_value_info(y, y_type, y_shape)],
            self.initializers,
        )
        for tensor, datatype in self.annotations.items():
            entry = StringStringEntryProto(key="finn_datatype", value=datatype)
            graph.quantization_annotation.append(
                TensorAnnotation(tensor_name=tensor, quant_parameter_tensor_names=[entry])
            )
        opsets = [
            helper.make_opsetid("", self.opset.version),
            helper.make_opsetid(self.opset.domain, self.opset.domain_version),
        ]
        return helper.make_model(
            graph, opset_imports=opsets, ir_version=self.opset.ir_version, producer_name="pytorch"
        )


def _normalization(file: File, prefix: str, width: int, rng: np.random.Generator) -> list[str]:
    """Return the parameters of a batch normalization, some scales negative, one variance tiny."""
    variance = rng.uniform(0.5, 40, width)
    variance[0] = 1e-9
    values: Mapping[str, Array] = {
        "weight": rng.uniform(0.5, 1.5, width) * rng.choice([-1, 1, 1], width),
        "bias": rng.normal(0, 0.5, width),
        "running_mean": rng.normal(0, 2, width),
        "running_var": variance,
    }
    return [file.initializer(f"{prefix}.{name}", array) for name, array in values.items()]


def bnn_pynq() -> ModelProto:
    """TFC_1W1A as an old Brevitas exported it: opset 9, weights among the inputs, TensorNorm.

    The shape of the flattened image is computed; the tail is Sub, Pow, Div, Mul, Add of scalars.
    """
    rng = np.random.default_rng(0)
    file = File(Opset(9, 6, "onnx.brevitas"))
    widths = (24, 7, 5, 4)
    file.node("Shape", ["0"], "24")
    file.constant("25", 0, np.int64)
    file.node("Gather", ["24", "25"], "26", axis=0)
    file.integers("75", [-1])
    file.node("Unsqueeze", ["26"], "28", axes=[0])
    file.node("Concat", ["28", "75"], "30", axis=0)
    file.node("Reshape", ["0", "30"], "31")
    file.node("Mul", ["31", file.constant("32", 2.0)], "33")
    file.node("Sub", ["33", file.constant("34", [1.0])], "35")
    x = file.quantizer("BipolarQuant", ["35", file.constant("36", [1.0])], "37")
    for i, (fan_in, fan_out) in enumerate(pairwise(widths)):
        weight = file.initializer(f"w{i}", rng.normal(0, 1, (fan_out, fan_in)))
        signs = file.quantizer("BipolarQuant", [weight, file.constant(f"ws{i}", [1.0])], f"wq{i}")
        file.node("Transpose", [signs], f"wt{i}", perm=[1, 0])
        x = file.node("MatMul", [x, f"wt{i}"], f"mm{i}")
        if i < len(widths) - 2:
            normalization = _normalization(file, f"features.{4 * i + 3}", fan_out, rng)
            x = file.node("BatchNormalization", [x, *normalization], f"bn{i}", momentum=0.9)
            x = file.quantizer("BipolarQuant", [x, file.constant(f"as{i}", [1.0])], f"aq{i}")
    x = file.node("Sub", [x, file.initializer("features.15.running_mean", [0.4488643])], "67")
    file.initializer("76", [318.19617])
    file.node("Pow", ["76", file.constant("70", 0.5)], "71")
    file.node("Div", [x, "71"], "72")
    file.node("Mul", ["72", file.initializer("features.15.weight", [0.7341181])], "73")
    file.node("Add", ["73", file.initializer("features.15.bias", [-1.1436615])], "74")
    return file.model("0", (1, 1, 4, 6), "74", (1, 4), initializers_are_inputs=True)


def unsw_mlp() -> ModelProto:
    """FINN's cybersecurity example: bipolar input, shifted to 0 and 1 by Add(1) and Div(2).

    Two-bit weights and activations; the result is a sign, from a quantizer that scales nothing.
    """
    rng = np.random.default_rng(1)
    file = File(Opset(11, 6, "finn.custom_op.general"))
    file.annotations["global_in"] = "BIPOLAR"
    file.node("Add", ["global_in", file.constant("Constant_0", [1.0])], "Add_0_out0")
    x = file.node("Div", ["Add_0_out0", file.constant("Constant_1", [2.0])], "Div_0_out0")
    widths = (12, 6, 5, 1)
    for i, (fan_in, fan_out) in enumerate(pairwise(widths)):
        weight = file.initializer(f"fc{i}.weight", rng.normal(0, 0.3, (fan_out, fan_in)))
        parameters = [
            file.initializer(f"fc{i}.scale", 0.2184 + 0.05 * i),
            file.initializer(f"fc{i}.zeropt", 0.0),
            file.initializer(f"fc{i}.bits", 2.0),
        ]
        file.quantizer(
            "Quant",
            [weight, *parameters],
            f"fc{i}.quantized",
            narrow=1,
            signed=1,
            rounding_mode="ROUND",
        )
        file.node("Transpose", [f"fc{i}.quantized"], f"fc{i}.transposed", perm=[1, 0])
        x = file.node("MatMul", [x, f"fc{i}.transposed"], f"fc{i}.product")
        x = file.node(
            "Add", [x, file.initializer(f"fc{i}.bias", rng.normal(0, 0.2, fan_out))], f"fc{i}.sum"
        )
        if i == len(widths) - 2:
            break
        normalization = _normalization(file, f"bn{i}", fan_out, rng)
        x = file.node("BatchNormalization", [x, *normalization], f"bn{i}", epsilon=1e-5)
        x = file.node("Relu", [x], f"relu{i}")
        parameters = [
            file.initializer(f"act{i}.scale", 0.6617),
            file.initializer(f"act{i}.zeropt", 0.0),
            file.initializer(f"act{i}.bits", 2.0),
        ]
        x = file.quantizer(
            "Quant", [x, *parameters], f"act{i}", narrow=0, signed=0, rounding_mode="ROUND"
        )
    file.quantizer("BipolarQuant", [x, file.constant("Constant_2", 1.0)], "global_out")
    return file.model("global_in", (1, 12), "global_out", (1, 1), initializers_are_inputs=True)


def kws_mlp() -> ModelProto:
    """FINN's keyword spotting MLP: a weight scale for every output, behind a Transpose.

    The bit widths of the weights are computed: the logarithm to base two of how many levels
    there are, rounded up.
    """
    rng = np.random.default_rng(2)
    file = File(Opset(13, 7, "qonnx.custom_op.general"))
    file.initializer("zeropt", 0.0)
    file.node("Flatten", ["global_in"], "flat", axis=1)
    scale = file.initializer("in.scale", 2.0)
    x = file.quantizer(
        "Quant",
        ["flat", scale, "zeropt", file.initializer("in.bits", 8.0)],
        "in",
        signed=1,
        narrow=1,
    )
    file.initializer("two", 2.0)
    file.node("Log", ["two"], "log2")
    widths = (20, 7, 6, 5)
    for i, (fan_in, fan_out) in enumerate(pairwise(widths)):
        weight = file.initializer(f"fc{i}.weight", rng.normal(0, 0.5, (fan_out, fan_in)))
        largest = np.abs(rng.uniform(0.5, 1.5, (fan_out, 1)))
        file.node(
            "Div",
            [file.initializer(f"fc{i}.max", largest), file.initializer(f"fc{i}.steps", 3.0)],
            f"fc{i}.scale",
        )
        file.node("Log", [file.initializer(f"fc{i}.levels", 8.0)], f"fc{i}.log")
        file.node("Div", [f"fc{i}.log", "log2"], f"fc{i}.quotient")
        file.node("Ceil", [f"fc{i}.quotient"], f"fc{i}.bits")
        inputs = [weight, f"fc{i}.scale", "zeropt", f"fc{i}.bits"]
        file.quantizer(
            "Quant", inputs, f"fc{i}.quantized", narrow=1, signed=1, rounding_mode="ROUND"
        )
        file.node("Transpose", [f"fc{i}.quantized"], f"fc{i}.transposed", perm=[1, 0])
        x = file.node("MatMul", [x, f"fc{i}.transposed"], f"fc{i}.product")
        if i == len(widths) - 2:
            break
        normalization = _normalization(file, f"bn{i}", fan_out, rng)
        x = file.node("BatchNormalization", [x, *normalization], f"bn{i}", epsilon=1e-5)
        x = file.node("Relu", [x], f"relu{i}")
        parameters = [
            file.initializer(f"act{i}.scale", 0.2913),
            "zeropt",
            file.initializer(f"act{i}.bits", 3.0),
        ]
        x = file.quantizer(
            "Quant", [x, *parameters], f"act{i}", narrow=0, signed=0, rounding_mode="ROUND"
        )
    return file.model("global_in", (1, 4, 5), x, (1, 5))


def jet_tagging(*, quantized_input: bool = True) -> ModelProto:
    """A QKeras classifier as tf2onnx and qonnx converted it: powers of two, quantized biases.

    The domain is ``qonnx``, parameters of quantizers are of integer types, the batch is the 1
    that the converter set. As published, floats reach the first product.
    """
    rng = np.random.default_rng(3)
    file = File(Opset(13, 7, "qonnx"))
    widths, names = (6, 8, 5, 3), ("fc1", "fc2", "output")

    def quant(x: str, owner: str, scale: float, bits: int, *, signed: int, narrow: int) -> str:
        path = f"jet/{owner}_quantizer"
        file.initializer(f"{path}_scale", scale)
        file.integers(f"{path}_zero_point", [])
        file.initializers[-1] = numpy_helper.from_array(np.array(0), f"{path}_zero_point")
        file.initializers.append(numpy_helper.from_array(np.array(bits), f"{path}_bit_width"))
        inputs = [x, *(f"{path}_{what}" for what in ("scale", "zero_point", "bit_width"))]
        return file.quantizer(
            "Quant",
            inputs,
            f"{path}:0",
            path,
            signed=signed,
            narrow=narrow,
            rounding_mode="ROUND",
        )

    x = "fc1_input"
    if quantized_input:
        x = quant(x, "q_in/Identity_activation", 2.0**-8, 16, signed=1, narrow=0)
    for i, (layer, fan_in) in enumerate(zip(names, widths, strict=False)):
        kernel = rng.normal(0, 0.5, (fan_in, widths[i + 1]))
        file.initializer(f"jet/{layer}/MatMul/ReadVariableOp:0", kernel)
        weights = quant(
            f"jet/{layer}/MatMul/ReadVariableOp:0",
            f"{layer}/MatMul_kernel",
            2.0**-5,
            6,
            signed=1,
            narrow=1,
        )
        x = file.node("MatMul", [x, weights], f"jet/{layer}/MatMul:0", name=f"jet/{layer}/MatMul")
        bias = f"jet/{layer}/BiasAdd/ReadVariableOp:0"
        file.initializer(bias, rng.normal(0, 0.5, widths[i + 1]))
        biases = quant(bias, f"{layer}/BiasAdd_bias", 2.0**-5, 6, signed=1, narrow=1)
        x = file.node("Add", [x, biases], f"jet/{layer}/BiasAdd:0", name=f"jet/{layer}/BiasAdd")
        if layer == "output":
            break
        x = file.node("Relu", [x], f"jet/relu{i + 1}/Relu:0", name=f"jet/relu{i + 1}/Relu")
        x = quant(x, f"relu{i + 1}/Relu_activation", 2.0**-3, 6, signed=0, narrow=0)
    file.node("Softmax", [x], "softmax", name="jet/softmax/Softmax", axis=-1)
    return file.model("fc1_input", (1, widths[0]), "softmax", (1, widths[-1]))


def finn_onnx() -> ModelProto:
    """Brevitas' export to FINN of 2020: weights as integers, annotated; scales as Mul nodes.

    The domain is ``finn``; signs are thresholds with a BIPOLAR type; the batch of 1 that was
    traced stands in a Reshape.
    """
    rng = np.random.default_rng(4)
    file = File(Opset(9, 6, "finn"))
    sign: dict[str, Any] = {"out_dtype": "BIPOLAR", "out_scale": 2.0, "out_bias": -1.0}
    file.node("Reshape", ["0", file.integers("shape", [1, -1])], "flat")
    file.node("Mul", ["flat", file.initializer("in.mul", 2.0)], "doubled")
    file.node("Sub", ["doubled", file.initializer("in.sub", [1.0])], "centred")
    x = file.quantizer(
        "MultiThreshold", ["centred", file.initializer("in.thresholds", [[0.0]])], "in", **sign
    )
    widths = (12, 6, 5, 4)
    for i, (fan_in, fan_out) in enumerate(pairwise(widths)):
        weights = rng.choice([-1.0, 1.0], (fan_in, fan_out))
        x = file.node("MatMul", [x, file.initializer(f"w{i}", weights, "BIPOLAR")], f"mm{i}")
        x = file.node("Mul", [x, file.initializer(f"scale{i}", 0.0823)], f"scaled{i}")
        if i == len(widths) - 2:
            break
        normalization = _normalization(file, f"bn{i}", fan_out, rng)
        x = file.node("BatchNormalization", [x, *normalization], f"bn{i}", momentum=1.0)
        table = file.initializer(f"thresholds{i}", [[0.0]])
        x = file.quantizer("MultiThreshold", [x, table], f"sign{i}", **sign)
    return file.model("0", (1, 1, 3, 4), x, (1, 4))


def finn_streamlined() -> ModelProto:
    """What FINN's streamlining leaves: integers, thresholds and annotations, and a TopK.

    Bytes come in, thresholds are integers, a row a channel, of four levels from -2 or of two;
    scale and bias are gone, but for a positive scale at the end that TopK does not see.
    """
    rng = np.random.default_rng(5)
    file = File(Opset(11, 8, "qonnx.custom_op.general"))
    file.annotations["global_in"] = "UINT8"
    widths = (10, 6, 5, 4)
    outputs: list[dict[str, Any]] = [
        {"out_dtype": "INT2", "out_scale": 1.0, "out_bias": -2.0},
        {"out_dtype": "BIPOLAR", "out_scale": 2.0, "out_bias": -1.0},
    ]
    x = "global_in"
    for i, (fan_in, fan_out) in enumerate(pairwise(widths)):
        weights = rng.integers(-1, 2, (fan_in, fan_out))
        x = file.node(
            "MatMul", [x, file.initializer(f"MatMul_{i}_param0", weights, "INT2")], f"mm{i}"
        )
        file.annotations[x] = "INT32"
        if i == len(widths) - 2:
            break
        steps = 3 if i == 0 else 1
        spread = 200 if i == 0 else 3
        table = np.sort(rng.integers(-spread, spread, (fan_out, steps)), axis=1)
        thresholds = file.initializer(f"MultiThreshold_{i}_param0", table, "INT32")
        x = file.quantizer(
            "MultiThreshold", [x, thresholds], f"thresholded{i}", **outputs[i], data_layout="NC"
        )
        file.annotations[x] = outputs[i]["out_dtype"]
    file.integers("k", [1])
    file.node("TopK", [x, "k"], "values", "global_out", axis=1, largest=1, sorted=1)
    return file.model("global_in", (1, widths[0]), "global_out", (1, 1), y_type=TensorProto.INT64)


DIALECTS = {
    "bnn_pynq": bnn_pynq,
    "unsw_mlp": unsw_mlp,
    "kws_mlp": kws_mlp,
    "jet_tagging": jet_tagging,
    "finn_onnx": finn_onnx,
    "finn_streamlined": finn_streamlined,
}
