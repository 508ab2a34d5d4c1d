"""The command ``train``: what it says of data, and that its options arrive."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("lightning", reason="needs lightning")
pytest.importorskip("brevitas", reason="needs brevitas")
pytest.importorskip("sklearn", reason="needs scikit-learn")
pytest.importorskip("onnxoptimizer", reason="needs onnxoptimizer")

import lutloom
from lutloom.qat.checkpoint import read_run
from lutloom.qat.recipe_file import read_recipe
from tests.app.commands import Invoke


def test_data_that_are_not_there_are_refused_and_not_fetched_unasked(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    ended = invoke("train", "TFC_1W1A", "--data", "cifar100", "-o", tmp_path / "out")
    assert ended.status == 2
    assert ended.out == ""
    assert ended.err == (
        f"lutloom: cifar100 is not in {tmp_path}/cache/lutloom/data/cifar100: pass --download "
        "(download=True) to fetch 168.5 MB, or put there "
        "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_images_are_varied_where_that_is_asked_for(invoke: Invoke, tmp_path: Path) -> None:
    ended = invoke(
        *("train", "TFC_1W1A", "--data", "digits", "-o", tmp_path / "out"),
        *("--epochs", "1", "--augmentation", "shift=1,crop=2"),
    )
    assert ended.status == 0, ended
    checkpoint = tmp_path / "out" / "checkpoints" / "best.ckpt"
    assert read_run(checkpoint).augmentation == "crop=2,shift=1"


def test_recipes_are_listed_and_printed_to_begin_with(invoke: Invoke, tmp_path: Path) -> None:
    ended = invoke("recipes")
    assert ended.status == 0
    assert "sfc-1w1a            SFC, 1W1A, on MNIST" in ended.out.splitlines()
    (tmp_path / "my.toml").write_text(invoke("recipes", "sfc-1w1a").out)
    assert read_recipe(tmp_path / "my.toml") == lutloom.list_recipes()["sfc-1w1a"]
    ended = invoke("recipes", "sfc")
    assert ended.status == 2
    assert ended.err.startswith("lutloom: there is no recipe 'sfc': use one of cnv-1w1a, ")


def test_a_recipe_is_trained_as_the_command_line_changes_it(invoke: Invoke, tmp_path: Path) -> None:
    text = '[model]\nname = "TFC_1W1A"\n[data]\nname = "nowhere"\n[training]\noptimizer = "sgd"\n'
    (tmp_path / "my.toml").write_text(text)
    ended = invoke(
        *("train", tmp_path / "my.toml", "-o", tmp_path / "out", "--data", "digits"),
        *("--set", "training.epochs=1", "--set", "training.schedule=step", "--seed", "3"),
    )
    assert ended.status == 0, ended
    assert "TFC_1W1A on digits: " in ended.out
    training = read_recipe(tmp_path / "out" / "recipe.toml").training
    assert (training.optimizer, training.epochs, training.schedule) == ("sgd", 1, "step")
    assert training.seed == 3
    ended = invoke("train", tmp_path / "my.toml", "-o", tmp_path / "x", "--set", "training.epoch=1")
    assert ended.status == 2
    assert ended.err.startswith("lutloom: training.epoch is not a key of a recipe (did you mean ep")
    assert not (tmp_path / "x").exists()
