"""Parts, joins and products of tensors in the words of QONNX: one ONNX operator each, or two.

concat      Concat                                  slice, split  Slice
upsample    Resize, to the nearest                  multiply      Mul
matmul      Transpose, MatMul                       lookup        Sub, Cast, Gather
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from lutloom.core.ops import Concat, Lookup, MatMul, Multiply, Slice, Split, Upsample
from lutloom.streamline.qonnx_site import largest

if TYPE_CHECKING:
    from lutloom.streamline.qonnx_site import Site

    Branch: TypeAlias = Concat | Lookup | MatMul | Multiply | Slice | Split | Upsample


def write_branch(site: Site, op: Branch) -> None:
    """Write the nodes that compute the results of ``op``.

    Raises ``NotQonnxError`` where they can't do so exactly.
    """
    match op:
        case Concat(axis=axis):
            site.writer.node("Concat", site.node.inputs, site.y, axis=axis + 1)
        case Slice():
            _slice(site, op, site.y)
        case Split(parts=parts):
            for part, name in zip(parts, site.node.results, strict=True):
                _slice(site, part, name)
        case Upsample():
            _upsample(site, op)
        case Multiply():
            site.writer.node("Mul", site.node.inputs, site.y)
        case MatMul():
            _matmul(site)
        case Lookup():
            _lookup(site, op)


def _slice(site: Site, op: Slice, name: str) -> None:
    ends = (
        site.writer.sizes(f"{name}/{what}", (number,))
        for what, number in (("start", op.start), ("stop", op.stop), ("axis", op.axis + 1))
    )
    site.writer.node("Slice", [site.x, *ends], name)


def _upsample(site: Site, op: Upsample) -> None:
    import numpy as np

    scales = site.writer.constant(f"{site.y}/scales", np.array([1, *op.factors]))
    site.writer.node(
        "Resize",
        [site.x, "", scales],
        site.y,
        mode="nearest",
        nearest_mode="floor",
        coordinate_transformation_mode="asymmetric",
    )


def _matmul(site: Site) -> None:
    a, b = site.node.inputs
    a_type, b_type = site.types[a], site.types[b]
    site.check_sum(a_type.shape[-1] * largest(a_type.element) * largest(b_type.element))
    shape = b_type.shape
    turned = site.writer.fresh(f"{site.y}/transposed")
    site.writer.value(turned, b_type.element, (*shape[:-2], shape[-1], shape[-2]))
    perm = (*range(len(shape) - 1), len(shape), len(shape) - 1)
    site.writer.node("Transpose", [b], turned, perm=perm)
    site.writer.node("MatMul", [a, turned], site.y)


def _lookup(site: Site, op: Lookup) -> None:
    from onnx import TensorProto

    writer, x = site.writer, site.x
    if op.first:
        site.check_constants(abs(op.first))
        row = writer.fresh(f"{site.y}/row")
        writer.value(row, None, site.x_type.shape)
        writer.node("Sub", [x, writer.constant(f"{site.y}/first", float(op.first))], row)
        x = row
    index = writer.fresh(f"{site.y}/index")
    writer.indices.add(index)
    writer.value(index, None, site.x_type.shape)
    writer.node("Cast", [x], index, to=TensorProto.INT64)
    site.check_constants(max(-op.table.lo, op.table.hi))
    table = writer.integers(f"{site.y}/table", op.table.data)
    writer.node("Gather", [table, index], site.y, axis=0)
