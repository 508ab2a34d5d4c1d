"""The compiled engine: an integer graph as a program of vector kernels, exact by its types."""

from lutloom.sim.engine.engine import Engine, make_engine
from lutloom.sim.engine.instruction_set import InstructionSet, available

__all__ = ["Engine", "InstructionSet", "available", "make_engine"]
