"""The models, by name: TFC, SFC and LFC, each in 1W1A, 1W2A and 2W2A."""

from __future__ import annotations

from lutloom.qat.models.registry import build_model, canonical_name, model_names

__all__ = ["build_model", "canonical_name", "model_names"]
