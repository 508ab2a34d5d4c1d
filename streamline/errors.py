"""What can go wrong between a file and an integer graph."""

from __future__ import annotations

from lutloom.core.errors import LutloomError


class ModelFileError(LutloomError, ValueError):
    """A file that is no readable ONNX model."""


class ModelError(LutloomError, ValueError):
    """A model that can't be lowered: the node, the reason, and what to change in the model."""


class UnforeseenError(ModelError):
    """A node that nobody thought of: damaged, or an error of lutloom itself."""


def show(name: str) -> str:
    """Return ``name`` for a message: quoted, without control characters, of readable length."""
    readable = name if len(name) <= 80 else name[:77] + "..."
    return "'" + readable.encode("unicode_escape").decode("ascii") + "'"
