"""``lutloom::permute``: a frame is stored and read in another order, ``pe`` channels a word.

Several channels make a word only where the channels stay the innermost axis.
"""

from __future__ import annotations

from math import prod

from lutloom.codegen.kernels.kernel import (
    Code,
    Kernel,
    Lanes,
    Legal,
    Site,
    Table,
    divisors,
    no_weights,
)
from lutloom.core.plan import Folding


def _legal(site: Site, _folding: Folding) -> Legal:
    shape = site.inputs[0].shape
    stays = bool(shape) and site.op.axes[-1] == len(shape) - 1
    return Legal(divisors(shape[-1]) if stays else (1,))


def _lanes(_site: Site, folding: Folding) -> Lanes:
    return (folding.pe,), (folding.pe,)


def _cycles(site: Site, folding: Folding) -> int:
    return 2 * site.inputs[0].size // folding.pe


def _operators(_site: Site, _folding: Folding) -> int:
    return 1


def walk(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[list[int], list[int]]:
    """Return the sizes of the result of a transposition of ``shape``, and its address steps.

    Step ``d`` is what the address in the input grows by when index ``d`` of the result grows
    and all inner ones, at their ends, go back to zero.
    """
    strides = [prod(shape[axis + 1 :]) for axis in range(len(shape))]
    sizes = [shape[axis] for axis in axes]
    steps = []
    for index, axis in enumerate(axes):
        inner = range(index + 1, len(axes))
        steps.append(strides[axis] - sum(strides[axes[d]] * (sizes[d] - 1) for d in inner))
    return sizes, steps


def _code(site: Site, folding: Folding) -> Code:
    import numpy as np

    shape = site.inputs[0].shape or (1,)
    axes = site.op.axes or (0,)
    sizes, steps = walk((*shape[:-1], shape[-1] // folding.pe), axes)
    words = site.inputs[0].size // folding.pe
    return Code(
        tables=(
            Table(
                "sizes",
                np.array(sizes, np.int64),
                signed=False,
                bits=32,
                note="Dimensions of the result in words, outermost first.",
                complete=(1,),
            ),
            Table(
                "strides",
                np.array(steps, np.int64),
                signed=True,
                bits=32,
                note="What the address grows by when an index does and inner ones start again.",
                complete=(1,),
            ),
        ),
        facts={"words": words},
    )


KERNEL = Kernel(_legal, _lanes, _cycles, _operators, no_weights, _code)
