"""What can go wrong between a file and an integer graph."""

from __future__ import annotations

from lutloom.core.errors import LutloomError


class ModelFileError(LutloomError, ValueError):
    """A file that is no readable ONNX model."""


class ModelError(LutloomError, ValueError):
    """A model that can't be lowered: the node, the reason, and what to change in the model."""
