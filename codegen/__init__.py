"""From a graph of integers to a project of C++: lowering, plans, and what is written."""

from lutloom.codegen.folding import (
    check_plan,
    default_plan,
    largest_plan,
    legal_values,
    unfolded_plan,
)
from lutloom.codegen.lower import LoweringError, is_lowered, lower
from lutloom.codegen.project import Golden, write_project

__all__ = [
    "Golden",
    "LoweringError",
    "check_plan",
    "default_plan",
    "is_lowered",
    "largest_plan",
    "legal_values",
    "lower",
    "unfolded_plan",
    "write_project",
]
