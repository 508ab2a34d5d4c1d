"""The program's first moments: Ctrl-C has its answer before anything else is loaded."""

from __future__ import annotations

import atexit
import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

INTERRUPTED = "interrupted: nothing half-written was left behind"


def main() -> None:
    """Run the command line, and end the process: see ``lutloom.cli.main``."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, leave)
        # The interpreter's own end would else be that of a killed process.
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    from lutloom.cli import main as run

    run()


def leave(number: int, _: FrameType | None) -> None:
    """End the process on a signal: nothing has been begun, so that there is nothing to undo."""
    os.write(2, f"lutloom: {INTERRUPTED}\n".encode())
    end(number, None)


def end(number: int, _: FrameType | None) -> None:
    """End the process on a signal, at once, when all has been said."""
    os._exit(128 + number)
