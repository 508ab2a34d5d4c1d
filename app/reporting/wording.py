"""Names and numbers as people read them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

from lutloom.core.errors import readable

if TYPE_CHECKING:
    from markupsafe import Markup

_THOUSANDS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def shown(name: str) -> str:
    """Return a name of the model without what moves a cursor, or turns text around."""
    return readable(name)


def shortened(name: str, length: int, *, whole: bool = False) -> str:
    """Return ``name`` in ``length`` characters at most, wide ones counted twice: its end, which
    tells more than its front.

    What the exporter put behind the module's name, the operator, goes first, unless ``whole``.

    >>> shortened("features.conv1.quantize.BipolarQuant", 25)
    'features.conv1.quantize'
    >>> shortened("stages.features.conv1.layer.Conv/window", 25)
    '…tures.conv1.layer/window'
    """
    text = shown(name)
    if _width(text) <= length:
        return text
    module, _, operator = text.rpartition(".")
    if module and not whole:
        _, slash, of = operator.partition("/")
        text = f"{module}{slash}{of}"
    if _width(text) <= length:
        return text
    widths = accumulate(map(_width, reversed(text)))
    kept = sum(width < length for width in widths)
    return f"…{text[len(text) - kept :]}"


def _width(text: str) -> int:
    """Return how many narrow characters ``text`` is as wide as."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def breakable(name: str) -> Markup:
    """Return a name as HTML that is broken into lines behind its dots, if it has to be.

    >>> print(breakable("conv0.<b>"))
    conv0.<wbr>&lt;b&gt;
    """
    from markupsafe import Markup

    return Markup("<wbr>").join(re.split(r"(?<=[./_])(?=.)", shown(name)))


def size(shape: Sequence[int]) -> str:
    """Return a shape, ``28×28×64``; ``1`` for a scalar."""
    return "×".join(map(str, shape)) or "1"


def count(number: float) -> str:
    """Return a number in three digits and a prefix: ``1.02 M``.

    >>> [count(n) for n in (7, 1_024, 97_656, 1_020_000)]
    ['7', '1.02 k', '97.7 k', '1.02 M']
    """
    for factor, prefix in _THOUSANDS:
        if number >= factor:
            return f"{_three_digits(number / factor)} {prefix}"
    return _three_digits(number)


def share(part: float, whole: float) -> str:
    """Return how much of ``whole`` a part is, in per cent: of nothing, nothing is 0 %.

    >>> share(1, 3), share(1, 2000), share(3, 2), share(0, 0), share(1, 0)
    ('33.3 %', '0.05 %', '150 %', '0 %', 'none there')
    """
    if part == 0:
        return "0 %"
    if whole == 0:
        return "none there"
    return f"{_three_digits(100 * part / whole)} %"


def _three_digits(number: float) -> str:
    if number >= 100 or number == int(number):
        return f"{number:,.0f}"
    digits = 1 if number >= 10 else 2
    return f"{number:.{digits}f}" if number >= 0.01 else f"{number:.1g}"
