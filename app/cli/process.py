"""The process that a command runs in: its signals, its streams, and its exit status."""

from __future__ import annotations

import io
import os
import signal
import sys
import time
import warnings
from typing import TYPE_CHECKING, TextIO

import typer

from lutloom.cli.commands import app
from lutloom.core.errors import LutloomError, LutloomWarning, readable
from lutloom.entry import INTERRUPTED, end, leave

if TYPE_CHECKING:
    from types import FrameType

_TIDYING = 2.0
"""How many seconds after a signal another one is not heeded."""


def main() -> None:
    """Run the command line, and end the process.

    The exit status is 0, or 1 where a verification failed, 2 where something is refused, 130
    after Ctrl-C (as a shell has it: 128 and the signal). What the user can act on is one message
    on standard error, never a traceback.
    """
    ended_by, ended_at = 0, 0.0

    def interrupt(number: int, frame: FrameType | None) -> None:
        # Libraries make other exceptions of KeyboardInterrupt: the number stays.
        nonlocal ended_by, ended_at
        now = time.monotonic()
        if ended_by and now - ended_at < _TIDYING:
            return  # a second Ctrl-C at once would end the tidying up
        ended_by, ended_at = number, now
        signal.default_int_handler(number, frame)

    before = {}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        handler = signal.getsignal(number)
        if handler in (signal.default_int_handler, signal.SIG_DFL, leave):
            before[number] = handler
            signal.signal(number, interrupt)
    status = 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", LutloomWarning)
            warnings.showwarning = _show_warning
            status = _run()
    except BaseException:
        if not ended_by:
            raise
    finally:
        if ended_by:
            _complain(INTERRUPTED)
        for number, handler in before.items():
            is_said = ended_by and handler is leave
            signal.signal(number, end if is_said else handler)
    sys.exit(128 + ended_by if ended_by else status)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning as a line: what is meant for users without the place in the source."""
    if issubclass(category, LutloomWarning):
        _complain(readable(str(message)))
        return
    stream = file or sys.stderr
    stream.write(warnings.formatwarning(message, category, filename, lineno, line))


def _run() -> int:
    """Run the command line and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Names of models and files may hold what the terminal's encoding doesn't.
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            app(prog_name="lutloom")
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 0
        else:
            status = 0
        sys.stdout.flush()
    except LutloomError as error:
        _complain(str(error))
        return 2
    except MemoryError:
        _complain("there is not enough memory for this")
        return 2
    except ImportError as error:
        text = f"{error}: the installation is not complete; install lutloom again"
        _complain(readable(text))
        return 2
    except OSError as error:
        _drop_output()
        if isinstance(error, BrokenPipeError):
            return 1  # the reader has seen enough
        where = f"{error.filename}: " if error.filename else ""
        _complain(readable(f"{where}{error.strerror or error}"))
        return 2
    return status


def _drop_output() -> None:
    """Forget what can't be written: the interpreter would try again, and complain, at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(message: str) -> None:
    """Say on standard error what is wrong."""
    typer.echo(f"lutloom: {message}", err=True)
