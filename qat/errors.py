"""Errors of training that a user can act on."""

from __future__ import annotations

from lutloom.core.errors import LutloomError


class TrainingError(LutloomError, ValueError):
    """A training run that cannot be started, resumed or exported as asked."""


class DataError(LutloomError, ValueError):
    """A data set that is missing, damaged or not what its file says."""
