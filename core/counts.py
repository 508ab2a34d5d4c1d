"""How many there are of something, in words: ``1 tie``, ``2 ties``."""

from __future__ import annotations

_HISSING = ("s", "x", "ch", "sh")


def counted(count: int | str, noun: str) -> str:
    """Return a number of things: one, or several.

    A ``count`` may also be the text that stands for a number.

    >>> counted(1, "class"), counted(1024, "class"), counted("1.02 k", "image")
    ('1 class', '1,024 classes', '1.02 k images')
    """
    number = count if isinstance(count, str) else f"{count:,}"
    if number == "1":
        return f"{number} {noun}"
    return f"{number} {noun}{'es' if noun.endswith(_HISSING) else 's'}"
