from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lutloom.codegen import lower
from lutloom.codegen.kernels import KERNELS, Site
from lutloom.codegen.kernels.threshold import staircases
from lutloom.core.ops import Add, Threshold
from lutloom.core.plan import Folding
from lutloom.core.types import BIPOLAR, Const, IntType, TensorType

if TYPE_CHECKING:
    from collections.abc import Callable


def test_staircases_up_and_down_agree_however_they_are_folded(
    chain: Callable[..., Any], draw_plan: Callable[..., Any], agree: Callable[..., Any]
) -> None:
    net = chain(3, TensorType(IntType(-8, 7), (3, 4)))
    for _ in range(10):
        net.threshold()
    for target in (IntType(-8, 7), BIPOLAR, IntType(0, 3), IntType(-3, 3, 2), IntType(0, 15)):
        net.count(target)
    # Values and thresholds of 62 bits.
    wide = net.last
    net.append(Add(Const([[3**35], [-(2**40)]])), wide)
    net.threshold(IntType(-128, 127), steps=7)
    graph = net.graph
    lowered = lower(graph)
    agree(lowered, draw_plan(np.random.default_rng(5), lowered))


@st.composite
def sites(draw: st.DrawFn) -> Site:
    lo = draw(st.integers(-12, 12))
    step = draw(st.integers(1, 4))
    x = IntType(lo, lo + step * draw(st.integers(0, 12)), step)
    channels = draw(st.integers(1, 3))
    steps = draw(st.integers(0, 5))
    small = st.integers(-30, 30)
    rows = [sorted(draw(st.lists(small, min_size=steps, max_size=steps))) for _ in range(channels)]
    base = draw(st.lists(small, min_size=channels, max_size=channels))
    deltas = draw(
        st.lists(
            st.lists(small, min_size=steps, max_size=steps), min_size=channels, max_size=channels
        )
    )
    shape = (channels, steps)
    op = Threshold(
        Const(np.array(rows, np.int64).reshape(shape)),
        Const(base),
        Const(np.array(deltas, np.int64).reshape(shape)),
    )
    tensor = TensorType(x, (channels,))
    return Site(op, (tensor,), op.infer(tensor))


@given(sites())
def test_staircases_in_codes_are_the_operator_on_every_value(site: Site) -> None:
    x, y = site.inputs[0].element, site.outputs[0].element
    values = np.arange(x.lo, x.hi + 1, x.step)
    (expected,) = site.op.reference(np.repeat(values[:, np.newaxis], site.inputs[0].channels, 1))
    for channel, (base, steps) in enumerate(staircases(site)):
        codes = x.encode(values)
        level = base + sum(height * (codes >= t) for t, height in steps)
        assert y.decode(np.asarray(level + 0 * codes)).tolist() == expected[:, channel].tolist()
        assert [t for t, _ in steps] == sorted({t for t, _ in steps})


def _counts(stairs: list[tuple[int, list[tuple[int, int]]]]) -> bool:
    heights = {height for _, steps in stairs for _, height in steps}
    return heights <= {1} and len({base for base, _ in stairs}) == 1


@given(sites())
def test_levels_are_counts_exactly_where_the_template_says_so(site: Site) -> None:
    code = KERNELS["threshold"].code(site, Folding())
    plain = _counts(staircases(site))
    assert code.facts["counts_steps"] == plain
    assert len(code.tables) == (1 if plain else 3)


def test_a_threshold_out_of_reach_is_one_above_the_largest_code() -> None:
    op = Threshold(Const([[0, 2], [0, 99]]), Const([-1, -1]), Const([[1, 1], [1, 1]]))
    x = TensorType(IntType(-4, 4, 2), (2,))
    code = KERNELS["threshold"].code(Site(op, (x,), op.infer(x)), Folding())
    # 0 is code 2, 2 is code 3; the largest code is 4.
    assert code.facts["base"] == -1
    assert code.tables[0].data.ravel().tolist() == [2, 3, 2, 5]
    assert code.facts["limit_type"] == "ap_uint<3>"
