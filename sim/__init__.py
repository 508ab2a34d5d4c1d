"""Simulation: the reference interpreter, and the generated C++ compiled for this machine."""
