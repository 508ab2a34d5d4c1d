"""Cost models: what a process, an edge and a design take of a device."""

from __future__ import annotations

from lutloom.codegen.costs.resources import Confidence, Confidences, Cost, Resources, total

__all__ = ["Confidence", "Confidences", "Cost", "Resources", "total"]
