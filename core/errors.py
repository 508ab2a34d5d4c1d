"""Errors that a user can act on: who, what is, what should be, what to do."""

from __future__ import annotations

from typing import ClassVar

_LONGEST = 2000


def readable(text: str, *, kept: str = "") -> str:
    """Return ``text`` without what moves the cursor or changes the terminal, and not too long.

    The characters in ``kept`` stay.
    """
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 4 :]}"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in kept else ascii(c)[1:-1] for c in text)


class LutloomError(Exception):
    """Base of every error that is the input's fault and not the program's.

    The command line prints its text and nothing else: no traceback. Whatever the input holds, the
    text is a line that a terminal can show, of a length that can be read.
    """

    has_lines: ClassVar[bool] = False
    """Whether a newline may stay one: where the text quotes a compiler."""

    def __str__(self) -> str:
        return readable(super().__str__(), kept="\n" if self.has_lines else "")


class LutloomWarning(UserWarning):
    """What a user should know of, and that is no error: the command line prints it as a line."""


class GraphError(LutloomError, ValueError):
    """A graph that cannot exist: ill-typed, ill-ordered or with names defined twice."""


class GraphFileError(LutloomError, ValueError):
    """A saved graph that cannot be read: another format, damaged or incomplete."""


class RangeError(LutloomError, ValueError):
    """Data that do not belong to the type of the value they are meant for."""


class PlanError(LutloomError, ValueError):
    """A plan that does not fit its graph: unknown, missing or illegal entries."""


class DataFileError(LutloomError, ValueError):
    """A file that holds no usable array or image, or a folder without any."""
