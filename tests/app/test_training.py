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


def test_what_a_model_takes_of_its_board_is_said_before_it_is_trained(
    invoke: Invoke, tmp_path: Path
) -> None:
    command = ("train", "TFC_1W1A", "--data", "digits", "--board", "pynq-z2")
    ended = invoke(*command, "--target-fps", "5000", "--check-only")
    assert ended.status == 0, ended
    assert "before training: TFC_1W1A on pynq-z2, untrained" in ended.out
    assert "on the host, before: nothing" in ended.out
    assert "images/s at 100 MHz" in ended.out
    assert list(tmp_path.iterdir()) == []
    trained = invoke(*command, "--target-fps", "5000", "-o", tmp_path / "out", "--epochs", "1")
    assert trained.out.startswith(ended.out)
    assert " test images right (" in trained.out


def test_what_cannot_be_built_is_not_trained(invoke: Invoke, tmp_path: Path) -> None:
    command = ("train", "TFC_1W1A", "--data", "digits", "-o", tmp_path / "out", "--epochs", "1")
    ended = invoke(*command, "--board", "pynq-z2", "--target-fps", "1e8")
    assert ended.status == 2
    assert ended.err.startswith(
        "lutloom: TFC_1W1A is not trained, as it can't be built: 100,000,000 images/s can't be "
    )
    assert not (tmp_path / "out").exists()
    ended = invoke(*command, "--board", "pynk-z2")
    assert ended.err.startswith("lutloom: board 'pynk-z2' is not known. Did you mean pynq-z2?")
    ended = invoke(*command, "--set", "quantization.weights.bits=33")
    assert ended.status == 2
    assert "quantization" in ended.err


def test_an_output_is_needed_only_for_training(invoke: Invoke) -> None:
    ended = invoke("train", "TFC_1W1A", "--data", "digits")
    assert ended.status == 2
    assert "say where checkpoints and model go" in ended.err


def test_the_check_uses_the_rate_and_clock_of_the_recipe() -> None:
    settings = {"board.name": "pynq-z2", "board.target_fps": 1000, "board.clock_mhz": 50}
    found = lutloom.check_recipe("TFC_1W1A", data="digits", settings=settings).estimate
    assert found is not None
    assert found.clock_mhz == 50
    assert found.fps >= 1000
    fastest = lutloom.check_recipe("TFC_1W1A", data="digits", board="pynq-z2").estimate
    assert fastest is not None
    assert fastest.fps > found.fps


def test_trials_are_made_without_an_output(invoke: Invoke, tmp_path: Path) -> None:
    command = ("train", "TFC_2W2A", "--data", "digits", "--batch-size", "20")
    ended = invoke(*command, "--overfit-batch", "--find-lr")
    assert ended.status == 0, ended
    assert "one batch: 20 images, 200 steps" in ended.out
    assert "right: 100.00% of them" in ended.out
    assert "learning rate: the loss falls fastest at " in ended.out
    assert list(tmp_path.iterdir()) == []
