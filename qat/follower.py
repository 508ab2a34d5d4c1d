"""A process of a run on several devices, but the first: ``python -m lutloom.qat.follower``."""

from __future__ import annotations

from lutloom.qat.processes import read_orders
from lutloom.qat.trainer import follow

if __name__ == "__main__":
    follow(read_orders())
