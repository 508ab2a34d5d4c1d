"""What no model may be, whatever it computes: versions, words and sizes that nobody here reads."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from lutloom.streamline.errors import ModelError, ModelFileError, show
from lutloom.streamline.tensors import MOST_AXES

if TYPE_CHECKING:
    import onnx

MOST_NUMBERS = 2**26
"""Numbers of one image: 8192 x 8192."""

_OLDEST_IR, _OLDEST_OPSET = 3, 9
_LONGEST_WORD = 200


def opset_of(path: Path, versions: set[int]) -> int:
    """Return the version of ONNX's operators, the only one of ``versions``.

    Raises a ``ModelFileError`` or ``ModelError`` if nobody here knows what it means.
    """
    from onnx.defs import onnx_opset_version

    if not versions:
        raise ModelFileError(
            f"{path} does not say which version of ONNX's operators it uses (opset_import): export"
            " the model again"
        )
    newest = onnx_opset_version()
    for version in sorted(versions):
        if not _OLDEST_OPSET <= version <= newest:
            raise ModelError(
                f"{path} uses version {version} of ONNX's operators (opset), and"
                f" {_OLDEST_OPSET} to {newest} are read: export the model with one of those, or"
                " convert it (onnx.version_converter)"
            )
    if len(versions) > 1:
        raise ModelFileError(
            f"{path} says that it uses the versions {sorted(versions)} of ONNX's operators (opset)"
            " at once: export the model again with one"
        )
    return versions.pop()


def check_format(path: Path, version: int) -> None:
    """Refuse a version of the file's own format that nobody here knows the meaning of."""
    from onnx import IR_VERSION

    if not _OLDEST_IR <= version <= IR_VERSION:
        raise ModelFileError(
            f"{path} says that its format (ir_version) is {version}, and the onnx that is"
            f" installed reads {_OLDEST_IR} to {IR_VERSION}: export the model again, or update onnx"
        )


def check_words(path: Path, graph: onnx.GraphProto) -> None:
    """Refuse operators, domains and attributes whose names are no words: they go into messages."""
    for index, node in enumerate(graph.node):
        for word, what in (
            (node.op_type, "operator"),
            (node.domain or "ai.onnx", "domain"),
            *((entry.name, "attribute") for entry in node.attribute),
        ):
            if not (word.isascii() and word.isprintable() and 0 < len(word) <= _LONGEST_WORD):
                raise ModelFileError(
                    f"{path}: node {index}, {show(node.name)}, has the {what} {show(word)}, which"
                    " is no word: the file is damaged"
                )
        names = [entry.name for entry in node.attribute]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ModelFileError(
                f"{path}: {node.op_type} node {show(node.name)} has the attribute '{twice}' twice:"
                " the file is damaged"
            )


def check_input(path: Path, value: onnx.ValueInfoProto) -> None:
    """Refuse an input whose shape no image can have."""
    shape = value.type.tensor_type.shape
    sizes = [dim.dim_value for dim in shape.dim[1:] if dim.HasField("dim_value")]
    shown = [dim.dim_value if dim.HasField("dim_value") else "N" for dim in shape.dim[:MOST_AXES]]
    where = f"{path}: the input {show(value.name)}"
    if len(shape.dim) > MOST_AXES:
        raise ModelError(f"{where} has {len(shape.dim)} dimensions; at most {MOST_AXES} are read")
    if any(size <= 0 for size in sizes):
        raise ModelError(
            f"{where} has the shape {shown}, in which nothing fits: export the model for the size"
            " of its images"
        )
    if prod(sizes) > MOST_NUMBERS:
        raise ModelError(
            f"{where} has the shape {shown}: more than the {MOST_NUMBERS:,} numbers an image that"
            " are computed with here; is the file damaged?"
        )
