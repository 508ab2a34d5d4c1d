"""Arrays of integers as C++ initialisers: nested braces, a few numbers a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

_COLUMNS = 96
_INT64_MIN = -(2**63)


def dimensions(shape: tuple[int, ...]) -> str:
    """Return ``shape`` as C++ writes it behind a name: ``[2][3]``."""
    return "".join(f"[{size}]" for size in shape)


def element_type(bits: int, *, signed: bool) -> str:
    """Return the C++ type of machine words of ``bits`` bits."""
    return f"std::{'' if signed else 'u'}int{bits}_t"


def initializer(data: NDArray[np.integer[Any]], *, hexadecimal_bits: int = 0) -> str:
    """Return ``data`` as an initialiser with all its braces, in lines of 96 columns.

    Numbers are hexadecimal and of one length where ``hexadecimal_bits`` says how wide they are.
    """
    if hexadecimal_bits:
        digits = hexadecimal_bits // 4
        words = [f"0x{value:0{digits}x}" for value in data.ravel().tolist()]
    else:
        words = [decimal(value) for value in data.ravel().tolist()]
    # From the innermost dimension outwards, each group of words becomes one in braces.
    for size in data.shape[:0:-1]:
        words = [
            "{" + ", ".join(words[first : first + size]) + "}"
            for first in range(0, len(words), size)
        ]
    lines: list[str] = []
    line: list[str] = []
    length = 4
    for word in _broken(words):
        if line and length + len(word) + 2 > _COLUMNS:
            lines.append("    " + " ".join(line))
            line, length = [], 4
        line.append(word + ",")
        length += len(word) + 2
    lines.append("    " + " ".join(line))
    return "{\n" + "\n".join(lines) + "\n}"


def _broken(words: list[str]) -> Iterator[str]:
    """Yield ``words``, those that are longer than a line in their parts."""
    for word in words:
        if len(word) + 6 <= _COLUMNS:
            yield word
        else:
            yield from word.split(", ")


def decimal(value: int) -> str:
    """Return ``value``, of at most 64 bits, as a C++ expression."""
    # The magnitude of the least 64-bit number is no literal of a signed type.
    return str(value) if value != _INT64_MIN else f"({value + 1} - 1)"
