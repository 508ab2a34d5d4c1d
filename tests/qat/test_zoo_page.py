"""docs/model_zoo.md says of every family what the registry does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("brevitas", reason="needs brevitas")

from lutloom.qat.models import build_model, families
from lutloom.qat.models.family import Family, shown

PAGE = Path(__file__).parents[2] / "docs" / "model_zoo.md"
_LARGEST = 3_000_000


def published(family: Family) -> str:
    shape = " x ".join(map(str, family.input_shape))
    bits = ", ".join(f"{weights}W{activations}A" for weights, activations in family.bits)
    return (
        f"| `{family.name}` | {family.title} | {family.reference} | {shape}, {family.classes} "
        f"| {bits} | {{weights}} | {family.published or '–'} |"
    )


def changeable(family: Family) -> str:
    options = ", ".join(f"`{name}` {shown(value)}" for name, value in family.defaults.items())
    return f"| `{family.name}` | {family.shapes} | {options} |"


def weights_on_page(name: str) -> int:
    (row,) = (
        line
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith(f"| `{name}` |") and line.count("|") == 8
    )
    return int(row.split("|")[6].replace(",", ""))


@pytest.mark.parametrize("name", families())
def test_a_family_has_its_rows(name: str) -> None:
    family = families()[name]
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    assert published(family).format(weights=f"{weights_on_page(name):,}") in lines
    assert changeable(family) in lines


def test_the_page_has_the_families_in_their_order() -> None:
    found = re.findall(r"^\| `([A-Z0-9_]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert found == 2 * list(families())


@pytest.mark.parametrize("name", [name for name in families() if weights_on_page(name) < _LARGEST])
def test_a_family_has_as_many_weights_as_the_page_says(name: str) -> None:
    family = families()[name]
    model = build_model(name, family.input_shape, family.classes)
    layers = [module for module in model.modules() if hasattr(module, "weight_quant")]
    assert sum(layer.get_parameter("weight").numel() for layer in layers) == weights_on_page(name)
