"""``x * y``  =  ``s t (p + z) (q + w)``: products of two results, element by element.

With ``x = s p + a`` and ``y = t q + b`` the scales multiply. Where ``z = a / s`` and ``w = b / t``
are integers they are added to the integers first; else the product is the sum of ``p q``, ``p`` and
``q`` with the factors ``s t``, ``s b`` and ``a t``, and of ``a b``. Exact: rational arithmetic.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from lutloom.core.ops import Multiply, Requantize
from lutloom.core.types import INT64_MAX, Const
from lutloom.streamline.align import compact, varies_in_place
from lutloom.streamline.border_classes import check_together, in_one_form
from lutloom.streamline.broadcast import broadcast
from lutloom.streamline.clamp_terms import one_term
from lutloom.streamline.errors import ModelError
from lutloom.streamline.rules.join import combination
from lutloom.streamline.symbols import Scaled

if TYPE_CHECKING:
    from lutloom.core.types import IntType
    from lutloom.streamline.builder import GraphBuilder
    from lutloom.streamline.context import Context
    from lutloom.streamline.source import SourceNode
    from lutloom.streamline.symbols import Formula


def product(node: SourceNode, left: Formula, right: Formula, context: Context) -> Scaled:
    """Return ``left * right``, whose shapes broadcast.

    Raises ``ModelError`` if they do not, or if one of them is no integer.
    """
    import numpy as np

    build = context.build
    whole = (_whole(node, left, build), _whole(node, right, build))
    factors = broadcast(node, *whole, context)
    x, y = in_one_form(node, *(shifted(node, factor, build) for factor in factors))
    check_together(node, x, y)
    value = build.add(node, "", Multiply(), (x.value, y.value))
    slope = np.asarray(x.slope * y.slope)
    if not (x.offset.any() or y.offset.any()):
        zero = np.full((1,) * slope.ndim, Fraction(0), dtype=object)
        return Scaled(value, x.axes, x.shape, compact(slope), zero, classes=x.classes)
    terms = {value: slope}
    for own, other in ((x, y), (y, x)):
        terms[own.value] = np.asarray(terms.get(own.value, 0) + own.slope * other.offset)
    return combination(node, terms, np.asarray(x.offset * y.offset), x, build)


def _whole(node: SourceNode, x: Formula, build: GraphBuilder) -> Scaled:
    """Return ``x``, which must be integers in disguise."""
    integers = one_term(node, x, build)
    if integers is None:
        raise ModelError(
            f"{node} multiplies two results, and {x.trail[-1]} before it makes one of them that is"
            " not quantized; put a quantizer behind it, so that integers meet"
        )
    return integers


def shifted(node: SourceNode, x: Scaled, build: GraphBuilder) -> Scaled:
    """Return ``x`` with an offset of zero, if an integer that is added to its value does that."""
    import numpy as np

    if not x.offset.any():
        return x
    element = build.types[x.value].element
    arrays = np.broadcast_arrays(x.offset, x.slope)
    exact = np.empty(arrays[0].shape, dtype=object)
    pairs = zip(*(array.ravel().tolist() for array in arrays), strict=True)
    exact.ravel()[:] = [_share(offset, slope, element) for offset, slope in pairs]
    found = compact(exact)
    shares = [share for share in found.ravel().tolist() if share is not None]
    if len(shares) < found.size or varies_in_place(found):
        return x
    low, high = (Const([end + share for share in shares]) for end in (element.lo, element.hi))
    shift = Requantize(Const([[1]]), Const([[share] for share in shares]), 0, low, high)
    value = build.add(node, "/shifted", shift, (x.value,))
    return replace(x, value=value, offset=compact(np.asarray(x.offset * 0)))


def _share(offset: Fraction, slope: Fraction, element: IntType) -> int | None:
    """Return ``offset / slope`` if that is an integer to add to those of ``element``."""
    share = offset / slope if slope else offset
    fits = share.denominator == 1 and max(-element.lo, element.hi) + abs(share) <= INT64_MAX
    return share.numerator if fits and (slope or not offset) else None
