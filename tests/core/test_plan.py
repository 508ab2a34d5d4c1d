from __future__ import annotations

import json
import math
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lutloom.core.errors import PlanError
from lutloom.core.plan import (
    Comparison,
    FifoMemory,
    Folding,
    Memory,
    Multiplier,
    Plan,
    parse_plan,
    print_plan,
)

sizes = st.integers(1, 10**6)
foldings = st.builds(
    Folding,
    sizes,
    sizes,
    st.sampled_from(Memory),
    st.sampled_from(Multiplier),
    st.sampled_from(Comparison),
)
plans = st.builds(
    Plan,
    st.text(),
    st.dictionaries(st.text(), foldings, max_size=4),
    st.dictionaries(st.text(), sizes, max_size=4),
    sizes,
    st.dictionaries(st.text(), st.sampled_from(FifoMemory), max_size=4),
    st.dictionaries(st.text(), sizes, max_size=4),
)


@given(plans)
def test_a_plan_survives_printing_and_pickling(plan: Plan) -> None:
    assert parse_plan(print_plan(plan)) == plan
    assert pickle.loads(pickle.dumps(plan)) == plan


def document(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    processes = {"fc": {"pe": 2, "simd": 4}}
    return {"format": 1, "graph": "ab", "word_bits": 64, "processes": processes} | changes


def test_defaults_may_be_left_out() -> None:
    plan = parse_plan(json.dumps(document()))
    assert plan == Plan("ab", {"fc": Folding(2, 4)})
    changed = plan.with_folding("fc", Folding(1, 1))
    assert (plan.foldings["fc"].pe, changed.foldings["fc"].pe) == (2, 1)


def test_a_fifo_has_a_depth_a_memory_or_both() -> None:
    entries = {"a": 7, "b": {"depth": 9, "memory": "bram"}, "c": {"memory": "srl"}, "d": {}}
    plan = parse_plan(json.dumps(document(fifos=entries)))
    assert dict(plan.fifos) == {"a": 7, "b": 9}
    assert dict(plan.fifo_memories) == {"b": FifoMemory.BRAM, "c": FifoMemory.SRL}
    printed = json.loads(print_plan(plan))["fifos"]
    assert printed == {name: entries[name] for name in ("a", "b", "c")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"^the plan is no JSON: "),
        ("{" * 100_000, r"^the plan is no JSON: "),
        ("[" * 100_000, r"^the plan is no JSON: "),
        ("[]", r"^the plan should be a JSON object, not a list$"),
        (json.dumps(document(format=True)), r"^the plan's format is true: this version reads 1$"),
        (json.dumps(document(format=1.0)), r"^the plan's format is 1\.0: this version reads 1$"),
        (json.dumps(document(format="1" * 99)), r"^the plan's format is '1{37}\.\.\.': this"),
        (json.dumps([0] * 10**6), r"^the plan should be a JSON object, not a list$"),
        (json.dumps({"x" * 10**6: 1}), r"^the plan has an unknown entry 'x{37}\.\.\.': use "),
        (json.dumps(document(fifos={"e": math.nan})), r"^the plan is no JSON: it holds NaN, "),
        ('{"format": 1, "format": 1}', r"^the plan is no JSON: the entry 'format' stands there "),
        (json.dumps(document(fifos={"e": 10**99})), r"that an FPGA has, not 10{36}\.\.\.$"),
        (f'{{"format": {"9" * 9999}}}', r"^the plan is no JSON: it holds 9{37}\.\.\., which is"),
        (json.dumps(document(fifos={"e": 64.0})), r"positive integer, not 64\.0$"),
        (json.dumps(document(format=2)), r"^the plan's format is 2: this version reads 1$"),
        (json.dumps(document(graph=3)), r"^the plan should name its graph by digest"),
        (
            json.dumps(document(pe=3)),
            r"^the plan has an unknown entry 'pe': use \['channels', 'fif",
        ),
        (json.dumps(document(processes=[])), r"^'processes' should be a JSON object, not a list$"),
        (json.dumps(document(processes=None)), r"^'processes' should be a JSON object, not null$"),
        (json.dumps(document(processes={"fc": 3})), r"^fc should be a JSON object, not 3$"),
        (
            json.dumps(document(processes={"fc": {"mem": 3}})),
            r"^fc has an unknown entry 'mem': use \['comparison', 'memory', 'multiplier', 'pe', 'p",
        ),
        (
            json.dumps(document(processes={"fc": {"pe": 0}})),
            r"^fc: pe should be a positive integer, not 0$",
        ),
        (
            json.dumps(document(processes={"fc": {"simd": True}})),
            r"^fc: simd should be a positive integer, not true$",
        ),
        (
            json.dumps(document(processes={"fc": {"pe": 7}})).replace("7", "1e400"),
            r"^the plan is no JSON: it holds 1e400, which is no number here$",
        ),
        (
            json.dumps(document(processes={"fc": {"memory": "disk"}})),
            r"^fc: memory is 'disk': use one of \['auto', 'lutram', 'bram', 'uram'\]$",
        ),
        (
            json.dumps(document(processes={"fc": {"multiplier": []}})),
            r"^fc: multiplier is a list: use one of \['auto', 'fabric', 'dsp', 'packed', ",
        ),
        (
            json.dumps(document(processes={"fc": {"comparison": "bisect"}})),
            r"^fc: comparison is 'bisect': use one of \['auto', 'parallel', 'search', 'mult",
        ),
        (
            json.dumps(document(fifos={"e": {"depth": 4, "memory": "disk"}})),
            r"^the memory of e is 'disk': use one of \['auto', 'srl', 'lutram', 'bram', 'uram'\]$",
        ),
        (
            json.dumps(document(fifos={"e": {"width": 4}})),
            r"^the FIFO e has an unknown entry 'width': use \['depth', 'memory'\]$",
        ),
        (
            json.dumps(document(fifos={"e": {"depth": 0}})),
            r"^the depth of e should be a positive integer, not 0$",
        ),
        (
            json.dumps(document(channels={"e": 0})),
            r"^the channels of e should be a positive integer, not 0$",
        ),
        (json.dumps(document(channels=[])), r"^'channels' should be a JSON object, not a list$"),
        (
            json.dumps(document(fifos={"e": -1})),
            r"^the depth of e should be a positive integer, not -1$",
        ),
        (
            json.dumps(document(word_bits="64")),
            r"^'word_bits' should be a positive integer, not '64'$",
        ),
    ],
    ids=lambda text: text[:60],
)
def test_a_plan_that_is_none_says_where(text: str, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        parse_plan(text)
