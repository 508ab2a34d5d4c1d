from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from lutloom.codegen.names import comment, identifier, identifiers

HOSTILE = st.text() | st.sampled_from(
    [
        "",
        "1",
        "_",
        "__a",
        "for",
        "linux",
        "std",
        "a b",
        "a\nb",
        "*/",
        "ü",
        "a??/",
        "x\\",
        "$(rm -rf)",
    ]
)


@given(st.lists(HOSTILE))
@example(["a", "A", "a_2", "a"])
def test_identifiers_are_legal_and_different(names: list[str]) -> None:
    found = identifiers(names, taken=("taken",))
    assert set(found) == set(names)
    assert len(set(found.values())) == len(found)
    for name in found.values():
        assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name)
        assert name not in {"for", "linux", "std", "taken"}
        assert len(name) < 60


@given(HOSTILE)
def test_comments_stay_one_comment_in_every_language(text: str) -> None:
    shown = comment(text)
    assert re.fullmatch(r"[A-Za-z0-9_./:,=+()<> \[\]-]*", shown)
    assert "*/" not in shown
    assert "/*" not in shown


def test_plain_names_stay_as_they_are() -> None:
    assert identifier("layers.0.fc") == "layers_0_fc"
    assert comment("model.fc[0] (bias), layer-1") == "model.fc[0] (bias), layer-1"


def test_long_names_are_cut() -> None:
    assert len(identifier("n" * 5000)) == 40
    assert comment("n" * 5000) == "n" * 77 + "..."
