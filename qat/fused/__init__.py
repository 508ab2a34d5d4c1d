"""A Brevitas model computed in less time: the same functions, the same gradients."""

from lutloom.qat.fused.layers import Kept
from lutloom.qat.fused.model import Fused, fused

__all__ = ["Fused", "Kept", "fused"]
