"""``train``: its options are used, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("brevitas", reason="needs brevitas")
pytest.importorskip("sklearn", reason="needs scikit-learn")

from tests.app.commands import Invoke


@pytest.mark.parametrize(
    ("options", "idle", "trials"),
    [
        ("--check-only --epochs 3 --resume", "--epochs, --resume", "--check-only"),
        ("--check-only -o x --no-check", "--output, --no-check", "--check-only"),
        ("--check-only --batch-size 3 --lr 1", "--batch-size, --lr", "--check-only"),
        ("--overfit-batch --augmentation flip", "--augmentation", "--overfit-batch"),
        ("--overfit-batch --board pynq-z2", "--board", "--overfit-batch"),
        ("--find-lr --lr 0.1", "--lr", "--find-lr"),
        (
            "--find-lr --overfit-batch --csv-log --tensorboard",
            "--csv-log, --tensorboard",
            "--overfit-batch and --find-lr",
        ),
    ],
)
def test_options_without_a_use_are_refused(
    invoke: Invoke, options: str, idle: str, trials: str
) -> None:
    ended = invoke("train", "TFC_1W1A", "--data", "digits", *options.split())
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == (
        f"lutloom: there is no use for {idle} with {trials}: leave out the one or the other\n"
    )


def test_a_model_in_floats_has_nothing_to_check(invoke: Invoke) -> None:
    ended = invoke("train", "TFC_FLOAT", "--data", "digits", "--check-only")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("lutloom: TFC_FLOAT is a model in floats, which teaches another ")


def test_a_recipe_has_a_name(invoke: Invoke, tmp_path: Path) -> None:
    ended = invoke("train", "", "--data", "digits", "-o", tmp_path / "out")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("lutloom: there is no recipe '': use one of ")


def test_what_is_used_of_several_trials_is_not_refused(invoke: Invoke, tmp_path: Path) -> None:
    ended = invoke(
        *("train", "TFC_1W1A", "--data", "digits", "--check-only", "--find-lr", "--check"),
        *("--board", "pynq-z2", "--batch-size", "10", "--seed", "3"),
    )
    assert ended.status == 0, ended
    assert "before training: TFC_1W1A on pynq-z2, untrained" in ended.out
    assert "learning rate: the loss falls fastest at " in ended.out
    assert list(tmp_path.iterdir()) == []


def test_a_search_of_rates_varies_images_as_asked_for(invoke: Invoke) -> None:
    command = ("train", "TFC_1W1A", "--data", "digits", "--find-lr", "--batch-size", "10")
    plain = invoke(*command)
    varied = invoke(*command, "--augmentation", "shift=2")
    assert (plain.status, varied.status) == (0, 0)
    assert plain.out != varied.out
    ended = invoke(*command, "--augmentation", "tilt")
    assert ended.status == 2
    assert "the augmentation is" in ended.err
