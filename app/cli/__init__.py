"""The command line: each command the thin face of the public function of the same name.

A command is a module of its own, with its options; what it prints is in ``lutloom.console``.
"""

from __future__ import annotations

from lutloom.cli.commands import app
from lutloom.cli.process import main

__all__ = ["app", "main"]
