"""Small QONNX models for tests, written node by node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from onnx import (
    ModelProto,
    NodeProto,
    StringStringEntryProto,
    TensorAnnotation,
    TensorProto,
    helper,
    numpy_helper,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    Array: TypeAlias = NDArray[Any]

QONNX = "qonnx.custom_op.general"


@dataclass
class Writer:
    """Collects nodes and constants; every method returns the name of the tensor it made."""

    opset: int = 13
    domain: str = QONNX
    nodes: list[NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)

    def constant(self, values: ArrayLike, dtype: Any = np.float32) -> str:  # noqa: ANN401 - any
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(values, dtype=dtype), name))
        return name

    def tensor(self, values: ArrayLike) -> str:
        """Return the tensor of that name, or a new constant."""
        return values if isinstance(values, str) else self.constant(values)

    def node(
        self,
        kind: str,
        inputs: Sequence[str],
        *,
        domain: str = "",
        name: str | None = None,
        outputs: Sequence[str] = (),
        **attributes: Any,  # noqa: ANN401 - whatever ONNX takes
    ) -> str:
        name = name or f"{kind}_{len(self.nodes)}"
        results = list(outputs) or [f"{name}_out"]
        made = helper.make_node(kind, inputs, results, name=name, domain=domain)
        made.attribute.extend(helper.make_attribute(k, v) for k, v in attributes.items())
        self.nodes.append(made)
        return results[0]

    def binary(self, kind: str, x: str, values: ArrayLike, *, constant_first: bool = False) -> str:
        constant = self.constant(values)
        return self.node(kind, [constant, x] if constant_first else [x, constant])

    def quant(
        self,
        x: str,
        scale: ArrayLike = 1.0,
        zero_point: ArrayLike = 0.0,
        bits: int | str = 4,
        *,
        signed: bool = True,
        narrow: bool = False,
        mode: str = "ROUND",
        name: str | None = None,
        kind: str = "Quant",
    ) -> str:
        inputs = [x, *map(self.tensor, (scale, zero_point, bits))]
        attributes: dict[str, Any] = {
            "signed": int(signed),
            "narrow": int(narrow),
            "rounding_mode": mode,
        }
        return self.node(kind, inputs, domain=self.domain, name=name, **attributes)

    def bipolar(self, x: str, scale: ArrayLike = 1.0, name: str | None = None) -> str:
        return self.node("BipolarQuant", [x, self.tensor(scale)], domain=self.domain, name=name)

    def clip(self, x: str, low: float | None, high: float | None) -> str:
        """Clip as the opset has it; None is no bound."""
        bounds = {"min": low, "max": high}
        if self.opset < 11:
            given: dict[str, Any] = {
                name: float(bound) for name, bound in bounds.items() if bound is not None
            }
            return self.node("Clip", [x], **given)
        return self.node(
            "Clip", [x, *("" if b is None else self.constant(b) for b in bounds.values())]
        )

    def with_axes(self, kind: str, x: str, axes: Sequence[int]) -> str:
        """Squeeze or Unsqueeze as the opset has it."""
        if self.opset < 13:
            return self.node(kind, [x], axes=list(axes))
        return self.node(kind, [x, self.constant(axes, np.int64)])

    def dropout(self, x: str) -> str:
        """Drop nothing, as models for inference do; the ratio is where the opset has it."""
        if self.opset < 12:
            return self.node("Dropout", [x], ratio=0.5)
        return self.node("Dropout", [x, self.constant(0.5), self.constant(False, np.bool_)])

    def top_k(self, x: str, k: int, *, axis: int = -1) -> str:
        """Return the indices that TopK gives, with ``k`` where the opset has it."""
        name = f"top_{len(self.nodes)}"
        inputs = [x]
        attributes: dict[str, Any] = {"axis": axis}
        if self.opset < 10:
            attributes["k"] = k
        else:
            inputs.append(self.constant([k], np.int64))
        outputs = (f"{name}_values", f"{name}_indices")
        self.node("TopK", inputs, name=name, outputs=outputs, **attributes)
        return outputs[1]

    def multi_threshold(
        self, x: str, table: ArrayLike, scale: float = 1.0, bias: float = 0.0, layout: str = ""
    ) -> str:
        attributes: dict[str, Any] = {"out_scale": scale, "out_bias": bias, "out_dtype": "INT32"}
        if layout:
            attributes["data_layout"] = layout
        inputs = [x, self.constant(table)]
        return self.node("MultiThreshold", inputs, domain=self.domain, **attributes)

    def batch_norm(
        self,
        x: str,
        gamma: ArrayLike,
        beta: ArrayLike,
        mean: ArrayLike,
        variance: ArrayLike,
        epsilon: float = 1e-5,
        domain: str = "",
    ) -> str:
        inputs = [x, *map(self.constant, (gamma, beta, mean, variance))]
        return self.node("BatchNormalization", inputs, domain=domain, epsilon=epsilon)

    def matmul(self, x: str, weights: ArrayLike, bits: int = 4, scale: ArrayLike = 1.0) -> str:
        """Multiply by weights that are quantized as they stand."""
        return self.node("MatMul", [x, self.quant(self.constant(weights), scale, bits=bits)])

    def reshape(self, x: str, shape: Sequence[int]) -> str:
        return self.node("Reshape", [x, self.constant(shape, np.int64)])

    def model(
        self,
        output: str | Sequence[str],
        *shape: int,
        batch: int | str = "N",
        datatype: str | None = None,
        inputs: Sequence[str] | Mapping[str, Sequence[int]] = ("x",),
        output_type: int = TensorProto.FLOAT,
        lists_constants: bool = False,
    ) -> ModelProto:
        """Return the model with the input ``x [batch, *shape]``, or with ``inputs``: of that shape,
        or of their own.

        ``lists_constants``: as inputs too, which files had to do before IR version 4.
        """
        outputs = [output] if isinstance(output, str) else list(output)
        shapes = inputs if isinstance(inputs, Mapping) else dict.fromkeys(inputs, shape)
        graph = helper.make_graph(
            self.nodes,
            "test",
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, *sizes])
                for name, sizes in shapes.items()
            ],
            [helper.make_tensor_value_info(name, output_type, None) for name in outputs],
            self.constants,
        )
        if lists_constants:
            graph.input.extend(
                helper.make_tensor_value_info(entry.name, entry.data_type, entry.dims)
                for entry in self.constants
            )
        if datatype is not None:
            entry = StringStringEntryProto(key="finn_datatype", value=datatype)
            graph.quantization_annotation.append(
                TensorAnnotation(tensor_name="x", quant_parameter_tensor_names=[entry])
            )
        domains = {self.domain, *(node.domain for node in self.nodes)} - {""}
        opsets = [helper.make_opsetid("", self.opset)]
        opsets += [helper.make_opsetid(domain, 1) for domain in sorted(domains)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def write(model: ModelProto, directory: Path, name: str = "model.onnx") -> Path:
    """Write ``model`` into ``directory`` and return its path."""
    path = directory / name
    path.write_bytes(model.SerializeToString())
    return path
