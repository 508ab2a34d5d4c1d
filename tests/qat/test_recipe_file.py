"""Recipes as TOML: what is written reads back, and a mistake is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("brevitas", reason="needs brevitas")

from lutloom.qat.models import canonical_name
from lutloom.qat.recipe import (
    BoardSection,
    DataSection,
    DistillationSection,
    ModelSection,
    Recipe,
    StartSection,
    TrainingSection,
)
from lutloom.qat.recipe_file import (
    changed,
    find_recipe,
    parse_changes,
    parse_recipe,
    print_recipe,
    read_recipe,
    recipe_names,
    recipe_table,
)
from lutloom.qat.recipe_rules import Choice, Flag, Number, RecipeError, Section, Texts, Whole

MINIMAL = '[model]\nname = "TFC_1W1A"\n[data]\nname = "digits"\n'

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SCALARS = st.one_of(TEXTS, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(-1e30, 1e30))
TABLES = st.recursive(
    st.dictionaries(TEXTS, SCALARS | st.lists(SCALARS, max_size=3), max_size=3),
    lambda inner: st.dictionaries(TEXTS, inner | SCALARS, max_size=3),
    max_leaves=5,
)


def values(rule: object) -> st.SearchStrategy[Any]:
    match rule:
        case Whole(low, high):
            return st.integers(low, high)
        case Number(low, high, is_low_in, is_high_in):
            return st.floats(low, high, exclude_min=not is_low_in, exclude_max=not is_high_in)
        case Choice(words):
            return st.sampled_from(words)
        case Flag():
            return st.booleans()
        case Texts():
            return st.lists(TEXTS.filter(bool), max_size=2)
        case _:
            return TEXTS.filter(bool)


def sections(kind: type[Section]) -> st.SearchStrategy[Any]:
    """Return sections of a kind, with some of the fields that may be left out."""
    needed: dict[str, st.SearchStrategy[Any]] = {}
    others: dict[str, st.SearchStrategy[Any]] = {}
    for field in fields(kind):  # type: ignore[arg-type]
        if field.name != "options":
            strategy = values(field.metadata["rule"])
            (others if field.default is not field.default_factory else needed)[field.name] = (
                strategy
            )
    return st.fixed_dictionaries(needed, optional=others).map(lambda found: kind(**found))


RECIPES = st.builds(
    Recipe,
    model=st.builds(
        ModelSection,
        name=TEXTS.filter(bool),
        options=st.dictionaries(
            TEXTS.filter(lambda key: key != "name"),
            SCALARS | st.lists(st.integers(0, 9), max_size=3),
            max_size=3,
        ),
    ),
    data=sections(DataSection),
    training=sections(TrainingSection),
    quantization=st.none() | TEXTS | TABLES,
    start=st.none() | sections(StartSection),
    distillation=st.none() | sections(DistillationSection),
    board=st.none() | sections(BoardSection),
    title=TEXTS,
)


@given(RECIPES)
def test_what_is_written_reads_back_as_the_same_recipe(recipe: Recipe) -> None:
    assert parse_recipe(print_recipe(recipe), "x.toml") == recipe


@given(RECIPES)
def test_what_is_written_leaves_nothing_out(recipe: Recipe) -> None:
    written = recipe_table(recipe)["training"]
    assert set(written) == {
        field.name
        for field in fields(TrainingSection)
        if getattr(recipe.training, field.name) is not None
    }


def test_a_file_needs_a_model_and_data_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(MINIMAL)
    assert find_recipe(path) == Recipe(ModelSection("TFC_1W1A"), DataSection("digits"))
    assert find_recipe(str(path)) == find_recipe("TFC_1W1A", {"data.name": "digits"})


def test_what_comes_with_lutloom_is_found_by_its_name() -> None:
    names = recipe_names()
    assert "sfc-1w1a" in names
    for name in names:
        recipe = find_recipe(name)
        assert recipe.title
        assert canonical_name(recipe.model.name) == recipe.model.name
        assert recipe.training.epochs is not None


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("training.epochs=5", "training.epochs", 5),
        ("training.lr = 1e-3", "training.lr", 1e-3),
        ("data.name=mnist", "data.name", "mnist"),
        ('data.name="a b"', "data.name", "a b"),
        ("data.augmentation=", "data.augmentation", ""),
        ("data.augmentation=crop=4,flip", "data.augmentation", "crop=4,flip"),
        ("data.name=1\nx=2", "data.name", "1\nx=2"),
        ("model.wide=true", "model.wide", True),
    ],
)
def test_a_change_is_toml_or_a_text(text: str, key: str, value: object) -> None:
    assert parse_changes([text]) == {key: value}


def test_changes_take_the_place_of_what_a_recipe_says() -> None:
    recipe = parse_recipe(MINIMAL, "x.toml", {"training.epochs": 5, "board.name": "k26"})
    assert recipe.training == TrainingSection(epochs=5)
    assert recipe.board == BoardSection("k26")
    table = {"weights": {"bits": 2}}
    assert changed(recipe, {"quantization": table}).quantization == table
    deeper = changed(recipe, {"quantization.weights.bits": 2})
    assert deeper.quantization == table
    assert changed(deeper, {"training.epochs": 7}).training.epochs == 7


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("model", r"^x\.toml is not a TOML file: "),
        ("[" * 9999, r"^x\.toml is not a TOML file: "),
        ("", r"^x\.toml: model\.name is missing: give the name of a model, such as SFC_1W1A$"),
        ('[model]\nname = ""\n', r"^x\.toml: model\.name is '': give the name of a model"),
        ('[model]\nname = "m"\n', r"^x\.toml: data\.name is missing: give the name of a data set"),
        ("model = 3\n", r"^x\.toml: model is 3: give a table \[model\]$"),
        (
            f"{MINIMAL}[training]\nepoch = 3\n",
            r"^x\.toml: training\.epoch is not a key of a recipe \(did you mean epochs\?\): use ",
        ),
        (
            f"{MINIMAL}[trainig]\n",
            r"^x\.toml: trainig is not a key of a recipe \(did you mean tr",
        ),
        (
            f"{MINIMAL}[training]\nepochs = -1\n",
            r"^x\.toml: training\.epochs is -1: give an integer from 0 to 1000000$",
        ),
        (f"{MINIMAL}[training]\nepochs = true\n", r": training\.epochs is True: give an integer"),
        (
            f"{MINIMAL}[training]\nlr = nan\n",
            r"^x\.toml: training\.lr is nan: give a number above 0 to 1000$",
        ),
        (f"{MINIMAL}[training]\nlr = {10**400}\n", r": training\.lr is 10+: give a number above 0"),
        (
            f'{MINIMAL}[training]\noptimizer = "adma"\n',
            r'training\.optimizer is \'adma\': give one of "adam", "adamw", "sgd"$',
        ),
        (
            f'{MINIMAL}[training]\noptimizer = ["adam"]\n',
            r"training\.optimizer is \['adam'\]: give one of",
        ),
        (f"version = 2\n{MINIMAL}", r"^x\.toml: version is 2: this Lutloom reads 1$"),
        (f"title = 1\n{MINIMAL}", r"^x\.toml: title is 1: give a text$"),
        (f"quantization = 1\n{MINIMAL}", r"^x\.toml: quantization is 1: give a text such as 1W2A"),
        (
            MINIMAL.replace("[data]", "width = [0.5]\n[data]"),
            r"model\.options is \{'width': \[0\.5\]\}: ",
        ),
    ],
)
def test_a_mistake_is_named_with_what_is_legal(content: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        parse_recipe(content, "x.toml")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training.epochs": -1}, r"^training\.epochs is -1: give an integer"),
        (
            {"training.epochz": 1},
            r"^training\.epochz is not a key of a recipe \(did you mean epo",
        ),
        ({"model.name.x": 1}, r"^model\.name\.x can't be set: name is 'TFC_1W1A', which has no k"),
        ({"data.name": "\udc80"}, r"^data\.name is '\\udc80': give the name of a data set"),
    ],
)
def test_a_mistake_in_a_change_is_not_said_of_the_file(
    changes: Mapping[str, object], message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        parse_recipe(MINIMAL, "x.toml", changes)


@pytest.mark.parametrize("text", ["training.epochs", "=5", "training.=5", ".=1"])
def test_a_change_without_a_key_or_value_is_refused(text: str) -> None:
    with pytest.raises(RecipeError, match=rf"^--set {text}: write a key and a value, such as tr"):
        parse_changes([text])


def test_a_recipe_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"^there is no recipe 'sfc-1w1' \(did you mean sfc-1w1a"):
        find_recipe("sfc-1w1")
    with pytest.raises(RecipeError, match=r"^no/such\.toml can't be read: No such file or direct"):
        find_recipe("no/such.toml")
    with pytest.raises(RecipeError, match=r" can't be read: Is a directory$"):
        read_recipe(tmp_path)
    (tmp_path / "x.toml").write_bytes(b"\xff")
    with pytest.raises(RecipeError, match=r"/x\.toml can't be read: it is no text in UTF-8$"):
        find_recipe(tmp_path / "x.toml")


def test_what_cannot_be_is_refused_in_python_too() -> None:
    with pytest.raises(RecipeError, match=r"^training\.epochs is -1: give an integer from 0 to"):
        TrainingSection(epochs=-1)
    recipe = Recipe(ModelSection("m"), DataSection("d"), quantization={"weights": object()})
    with pytest.raises(RecipeError, match=r"^<object .*> can't be written as TOML: use numbers"):
        print_recipe(recipe)
