"""Lutloom: low-bit neural networks, woven exactly into FPGA fabric."""

from __future__ import annotations

__version__ = "0.1.0"
