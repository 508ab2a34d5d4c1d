"""Errors that a user can act on: who, what is, what should be, what to do."""

from __future__ import annotations


class LutloomError(Exception):
    """Base of every error that is the input's fault and not the program's.

    The command line prints its text and nothing else: no traceback.
    """


class GraphError(LutloomError, ValueError):
    """A graph that cannot exist: ill-typed, ill-ordered or with names defined twice."""


class GraphFileError(LutloomError, ValueError):
    """A saved graph that cannot be read: another format, damaged or incomplete."""


class RangeError(LutloomError, ValueError):
    """Data that do not belong to the type of the value they are meant for."""


class PlanError(LutloomError, ValueError):
    """A plan that does not fit its graph: unknown, missing or illegal entries."""
