"""An ONNX graph while it is being written: nodes, constants of float32, annotated datatypes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lutloom.core.graph import fresh_name
from lutloom.core.types import IntType
from lutloom.streamline.finn_datatypes import datatype_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx
    from numpy.typing import NDArray

QONNX = "qonnx.custom_op.general"


@dataclass(eq=False)
class QonnxWriter:
    """Collects nodes, constants and values; names that are in use get another."""

    names: set[str]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    values: dict[str, onnx.ValueInfoProto] = field(default_factory=dict)
    annotations: list[onnx.TensorAnnotation] = field(default_factory=list)
    indices: set[str] = field(default_factory=set)
    """Values that are int64: what TopK gives."""

    def node(
        self,
        kind: str,
        inputs: Sequence[str],
        *outputs: str,
        domain: str = "",
        **attributes: Any,  # noqa: ANN401 - whatever ONNX takes
    ) -> None:
        """Add a node, named as its last output: names of nodes and of values are kept apart."""
        from onnx import helper

        made = helper.make_node(kind, inputs, outputs, name=outputs[-1], domain=domain)
        made.attribute.extend(helper.make_attribute(*pair) for pair in attributes.items())
        self.nodes.append(made)

    def value(
        self, name: str, element: IntType | None, shape: tuple[int, ...], documentation: str = ""
    ) -> str:
        """Say what a value is, a None standing for reals; return its name."""
        from onnx import TensorProto, helper

        kind = TensorProto.INT64 if name in self.indices else TensorProto.FLOAT
        self.values[name] = helper.make_tensor_value_info(
            name, kind, ["N", *shape], doc_string=documentation
        )
        if element is not None:
            self._annotate(name, element)
        return name

    def constant(self, wanted: str, values: NDArray[Any] | float) -> str:
        """Add a constant of numbers that float32 holds exactly; return its name."""
        import numpy as np
        from onnx import numpy_helper

        name = self.fresh(wanted)
        # Rows of a matrix that was transposed lie apart; the file holds them in order.
        array = np.array(values, dtype=np.float32, order="C")
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def integers(self, wanted: str, values: NDArray[Any]) -> str:
        """Add such a constant of integers, and annotate it; return its name."""
        name = self.constant(wanted, values)
        lo, hi = int(values.min()), int(values.max())
        is_bipolar = (lo, hi) == (-1, 1) and not (values == 0).any()
        self._annotate(name, IntType(lo, hi, 2 if is_bipolar else 1))
        return name

    def sizes(self, wanted: str, values: tuple[int, ...]) -> str:
        """Add a constant of int64; return its name."""
        import numpy as np
        from onnx import numpy_helper

        name = self.fresh(wanted)
        self.constants.append(numpy_helper.from_array(np.array(values, dtype=np.int64), name))
        return name

    def fresh(self, wanted: str) -> str:
        """Return a name that no other value has: ``wanted``, if it can be."""
        return fresh_name(wanted, self.names)

    def _annotate(self, name: str, type_: IntType) -> None:
        from onnx import StringStringEntryProto, TensorAnnotation

        entry = StringStringEntryProto(key="finn_datatype", value=datatype_name(type_))
        self.annotations.append(
            TensorAnnotation(tensor_name=name, quant_parameter_tensor_names=[entry])
        )
