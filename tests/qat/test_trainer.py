"""Training: it learns, it can be stopped anywhere, and it leaves nothing behind but its output."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("lightning", reason="needs lightning")
pytest.importorskip("brevitas", reason="needs brevitas")
pytest.importorskip("sklearn", reason="needs scikit-learn")
pytest.importorskip("onnxoptimizer", reason="needs onnxoptimizer")

import torch

from lutloom.qat.checkpoint import read_checkpoint, read_run
from lutloom.qat.data import load_dataset
from lutloom.qat.errors import DataError, TrainingError
from lutloom.qat.fitting import is_over
from lutloom.qat.models import build_model
from lutloom.qat.progress import downloading
from lutloom.qat.recipe import DataSection, ModelSection, Recipe, TrainingSection
from lutloom.qat.recipe_file import print_recipe, read_recipe
from lutloom.qat.run import classify, run_model
from lutloom.qat.settings import EpochReport
from lutloom.qat.trainer import TrainResult, _held_out, train
from tests.qat.interruption import interrupted_after

# with dropout: what is drawn in a step matters
MODEL = "SFC_1W2A"
DIGITS = DataSection("digits")
# a few steps an epoch
TINY = Recipe(ModelSection(MODEL), DIGITS, TrainingSection(epochs=4, batch_size=250))


def tiny(
    model: str = MODEL,
    data: DataSection = DIGITS,
    *,
    output: Path,
    resume: bool | Path = False,
    on_epoch: Callable[[EpochReport], None] | None = None,
    progress: bool = False,
    csv_log: bool = False,
    **settings: Any,  # noqa: ANN401 - the fields of a section
) -> TrainResult:
    training = replace(TINY.training, **settings)
    return train(
        replace(TINY, model=ModelSection(model), data=data, training=training),
        output=output,
        resume=resume,
        on_epoch=on_epoch,
        progress=progress,
        csv_log=csv_log,
    )


def stop_after(epoch: int, report: EpochReport) -> None:
    if report.epoch == epoch:
        raise KeyboardInterrupt


def interrupted(output: Path, epoch: int) -> Path:
    """Train until Ctrl-C at the end of an epoch; return the last checkpoint."""
    with pytest.raises(KeyboardInterrupt):
        tiny(MODEL, output=output, on_epoch=partial(stop_after, epoch))
    return output / "checkpoints" / "last.ckpt"


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = read_checkpoint(checkpoint)["state_dict"]
    return state


def same_weights(one: Path, other: Path) -> bool:
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(
        torch.equal(first[name], second[name]) for name in first
    )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    return tiny(MODEL, output=tmp_path_factory.mktemp("undisturbed"))


def assert_as_undisturbed(result: TrainResult, undisturbed: TrainResult) -> None:
    for name in ("last.ckpt", "best.ckpt"):
        here, there = (r.checkpoint.with_name(name) for r in (result, undisturbed))
        assert same_weights(here, there)
    assert result.onnx.read_bytes() == undisturbed.onnx.read_bytes()
    assert result == replace(
        undisturbed, checkpoint=result.checkpoint, onnx=result.onnx, seconds=result.seconds
    )


def test_a_small_net_learns_the_digits(tmp_path: Path) -> None:
    recipe = Recipe(ModelSection("tfc-2w2a"), DIGITS, TrainingSection(epochs=10))
    result = train(recipe, output=tmp_path, progress=False)
    assert result.accuracy > 0.9
    assert result.history[-1].loss < result.history[0].loss / 4
    clipped = [value for name, value in weights(result.checkpoint).items() if "linear" in name]
    assert len(clipped) == 4
    assert all(weight.abs().max() == 1 for weight in clipped)


def test_the_accuracy_is_that_of_the_chosen_checkpoint_on_the_test_images(
    undisturbed: TrainResult,
) -> None:
    digits = load_dataset("digits")
    model = build_model(MODEL, digits.input_shape, digits.classes)
    state = weights(undisturbed.checkpoint)
    prefix = "model."
    model.load_state_dict(
        {
            name.removeprefix(prefix): value
            for name, value in state.items()
            if name.startswith(prefix)
        }
    )
    right = classify(run_model(model, digits.pixels(digits.test_x))) == digits.test_y
    assert (undisturbed.correct, undisturbed.images) == (int(right.sum()), len(digits.test_y))
    assert undisturbed.accuracy == undisturbed.correct / undisturbed.images
    best = max(report.accuracy for report in undisturbed.history)
    assert undisturbed.history[undisturbed.epoch].accuracy == best


def test_the_same_settings_give_the_same_result(tmp_path: Path, undisturbed: TrainResult) -> None:
    torch.rand(7)
    assert_as_undisturbed(tiny(MODEL, output=tmp_path), undisturbed)


def test_varied_images_give_other_weights_and_the_same_after_an_interruption(
    tmp_path: Path, undisturbed: TrainResult
) -> None:
    varied = replace(DIGITS, augmentation="crop=1,flip")
    whole = tiny(MODEL, varied, output=tmp_path / "whole", epochs=2)
    assert read_run(whole.checkpoint).augmentation == "crop=1,flip"
    assert read_run(undisturbed.checkpoint).augmentation == ""
    assert whole.history[0].loss != undisturbed.history[0].loss
    output = tmp_path / "output"
    with pytest.raises(KeyboardInterrupt):
        tiny(MODEL, varied, output=output, on_epoch=partial(stop_after, 0), epochs=2)
    last = output / "checkpoints" / "last.ckpt"
    again = tiny(MODEL, output=output, resume=last, epochs=2)
    assert same_weights(again.checkpoint, whole.checkpoint)
    with pytest.raises(TrainingError, match=r"data.augmentation was 'crop=1,flip' and is now ''"):
        tiny(MODEL, replace(DIGITS, augmentation=""), output=output, resume=last, epochs=2)


def test_another_seed_gives_other_weights(tmp_path: Path, undisturbed: TrainResult) -> None:
    other = tiny(MODEL, output=tmp_path, seed=1)
    assert not same_weights(other.checkpoint, undisturbed.checkpoint)


@pytest.mark.parametrize("epoch", [0, 2, 3])
def test_a_run_that_was_interrupted_goes_on_as_if_it_had_not_been(
    tmp_path: Path, undisturbed: TrainResult, epoch: int
) -> None:
    last = interrupted(tmp_path, epoch)
    assert len(read_checkpoint(last)["lutloom_history"]) == epoch + 1
    assert_as_undisturbed(tiny(MODEL, output=tmp_path, resume=last), undisturbed)


@pytest.mark.parametrize("writes", [1, 5, 6, 9])
def test_a_run_that_was_interrupted_within_an_epoch_goes_on_as_if_it_had_not_been(
    tmp_path: Path, undisturbed: TrainResult, writes: int
) -> None:
    with interrupted_after(writes):
        tiny(output=tmp_path, checkpoint_steps=1)
    # five steps an epoch: four of them and its end are written
    stored = read_checkpoint(tmp_path / "checkpoints" / "last.ckpt")
    assert stored["lutloom_batches"] > 0 or stored["lutloom_history"]
    assert_as_undisturbed(tiny(output=tmp_path, resume=True), undisturbed)


def test_a_run_may_go_on_elsewhere_and_without_repeating_its_settings(
    tmp_path: Path, undisturbed: TrainResult
) -> None:
    last = interrupted(tmp_path / "first", 1)
    before = last.read_bytes()
    recipe = Recipe(ModelSection(MODEL), DIGITS)
    result = train(recipe, output=tmp_path / "second", resume=last, progress=False)
    assert_as_undisturbed(result, undisturbed)
    assert last.read_bytes() == before


def test_a_run_that_is_complete_is_only_exported_again(
    tmp_path: Path, undisturbed: TrainResult
) -> None:
    last = undisturbed.checkpoint.with_name("last.ckpt")
    assert_as_undisturbed(tiny(MODEL, output=tmp_path, resume=last), undisturbed)


CHILD = """
    import sys
    from lutloom.qat.recipe_file import parse_recipe
    from lutloom.qat.trainer import train

    train(parse_recipe({recipe!r}, "recipe"), output={output!r}, progress=False,
          on_epoch=lambda report: print(report.epoch, flush=True))
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_killed_goes_on_as_if_it_had_not_been(
    tmp_path: Path, undisturbed: TrainResult, how: signal.Signals
) -> None:
    code = textwrap.dedent(CHILD).format(recipe=print_recipe(TINY), output=str(tmp_path / "out"))
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    assert child.stdout is not None
    # two epochs are complete, the third is running
    assert [child.stdout.readline() for _ in range(2)] == ["0\n", "1\n"]
    child.send_signal(how)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == -how
    assert how is signal.SIGKILL or errors.rstrip().endswith("KeyboardInterrupt")
    last = tmp_path / "out" / "checkpoints" / "last.ckpt"
    assert_as_undisturbed(tiny(MODEL, output=tmp_path / "out", resume=last), undisturbed)


def test_nothing_is_said_and_nothing_left_outside_the_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tiny("TFC_1W1A", output=tmp_path / "out", epochs=1)
    assert capfd.readouterr() == ("", "")
    assert list(elsewhere.iterdir()) == []
    files = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.*")}
    assert files == {
        "TFC_1W1A.onnx",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "recipe.toml",
    }


def test_progress_is_one_line_on_standard_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    result = tiny("TFC_1W1A", output=tmp_path, epochs=2, progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "TFC_1W1A on digits" in err
    assert f"epoch 2/2  loss {result.history[-1].loss:.3f}" in err


def test_the_history_may_be_kept_as_csv(tmp_path: Path) -> None:
    result = tiny("TFC_1W1A", output=tmp_path, epochs=2, csv_log=True)
    header, *rows = (tmp_path / "history.csv").read_text().splitlines()
    assert header == "epoch,loss,accuracy"
    assert rows == [f"{r.epoch},{r.loss},{r.accuracy}" for r in result.history]


def test_the_history_may_be_kept_as_curves(tmp_path: Path) -> None:
    if find_spec("tensorboard") is None:
        with pytest.raises(TrainingError, match=r"^curves need TensorBoard: run pip install"):
            train(TINY, output=tmp_path, tensorboard=True, progress=False)
        assert list(tmp_path.iterdir()) == []
        return
    train(TINY, output=tmp_path, tensorboard=True, progress=False)
    assert len(list((tmp_path / "tensorboard").iterdir())) == 4


def test_the_caller_keeps_its_generator_threads_and_ctrl_c(tmp_path: Path) -> None:
    def state() -> tuple[object, ...]:
        return (
            torch.get_rng_state().tolist(),
            torch.get_num_threads(),
            signal.getsignal(signal.SIGINT),
            np.geterr(),
            Path.cwd(),
        )

    before = state()
    tiny("TFC_1W1A", output=tmp_path / "whole", epochs=1)
    interrupted(tmp_path / "stopped", 0)
    assert state() == before


def test_an_error_of_the_caller_passes_through(tmp_path: Path) -> None:
    def fail(_report: EpochReport) -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit, match=r"^3$"):
        tiny("TFC_1W1A", output=tmp_path, on_epoch=fail)


def test_an_output_that_is_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("all of it")
    message = rf"^{tmp_path} is in use: choose a folder that is empty or not there yet, or go on "
    with pytest.raises(TrainingError, match=message):
        tiny("TFC_1W1A", output=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_what_a_killed_run_was_writing_is_cleared_away(tmp_path: Path) -> None:
    checkpoints = tmp_path / "checkpoints"
    checkpoints.mkdir()
    for name in (".partial.ckpt", ".last.ckpt.x7_2"):
        (checkpoints / name).write_bytes(b"half of it")
    tiny("TFC_1W1A", output=tmp_path, epochs=1)
    assert {path.name for path in checkpoints.iterdir()} == {"best.ckpt", "last.ckpt"}


@given(st.lists(st.integers(0, 4), min_size=1, max_size=80))
def test_of_each_class_one_image_in_ten_is_for_validation(labels: list[int]) -> None:
    chosen = _held_out(torch.tensor(labels))
    for label in set(labels):
        of_this = [bool(c) for c, other in zip(chosen, labels, strict=True) if other == label]
        assert sum(of_this) == -(-len(of_this) // 10)


def test_of_many_images_five_thousand_are_for_validation() -> None:
    assert int(_held_out(torch.arange(60_000) % 10).sum()) == 5000


def test_an_output_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match=r"file/out can't be made: Not a directory$"):
        tiny("TFC_1W1A", output=tmp_path / "file" / "out")


def test_a_run_goes_on_only_with_its_own_settings(tmp_path: Path) -> None:
    last = interrupted(tmp_path, 0)
    message = (
        rf"^{last} can't be gone on with: training.batch_size was 250 and is now 100; "
        "training.seed was 0 and is now 4. Give the same settings, or start a new run$"
    )
    with pytest.raises(TrainingError, match=message):
        tiny(MODEL, output=tmp_path, resume=last, batch_size=100, seed=4)
    with pytest.raises(TrainingError, match=r"model.name was 'SFC_1W2A' and is now 'TFC_1W1A'"):
        tiny("TFC_1W1A", output=tmp_path, resume=last)


def test_a_run_does_not_go_on_without_its_best_epoch(tmp_path: Path) -> None:
    last = interrupted(tmp_path / "first", 0)
    (last.parent / "best.ckpt").unlink()
    with pytest.raises(TrainingError, match=r"best.ckpt is missing: a run can't go on without"):
        tiny(MODEL, output=tmp_path / "second", resume=last)


class Malice:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("was-executed",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is not a checkpoint of Lutloom, or is damaged \("),
        (b"PK\3\4 and so on", r"is not a checkpoint of Lutloom, or is damaged \("),
        (pickle.dumps(Malice()), r"is not a checkpoint of Lutloom, or is damaged \("),
    ],
)
def test_what_is_no_checkpoint_is_refused_and_not_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "x.ckpt"
    path.write_bytes(content)
    with pytest.raises(TrainingError, match=rf"^{path} {message}"):
        tiny(MODEL, output=tmp_path / "out", resume=path)
    assert [p.name for p in tmp_path.iterdir()] == ["x.ckpt"]


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.ckpt"
    torch.save({"state_dict": {}}, path)
    with pytest.raises(TrainingError, match=r"is not a checkpoint of Lutloom: it has no recipe"):
        tiny(MODEL, output=tmp_path / "out", resume=path)
    torch.save({"lutloom_run": {"recipe": "x = 1"}}, path)
    with pytest.raises(TrainingError, match=r"was written by another version of Lutloom"):
        tiny(MODEL, output=tmp_path / "out", resume=path)


def test_a_truncated_checkpoint_is_refused(tmp_path: Path, undisturbed: TrainResult) -> None:
    path = tmp_path / "x.ckpt"
    path.write_bytes(undisturbed.checkpoint.read_bytes()[:-1000])
    with pytest.raises(TrainingError, match=r"is not a checkpoint of Lutloom, or is damaged \("):
        tiny(MODEL, output=tmp_path / "out", resume=path)


def test_impossible_settings_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    varied = partial(replace, DIGITS)
    for settings, message in (
        (dict(batch_size=2000), r"^training.batch_size is 2000, but there are 1284 images to tr"),
        (dict(data=varied(augmentation="rotate")), r"^the augmentation is 'rotate': use crop=PIX"),
        (dict(data=varied(augmentation="crop=8")), r"^crop=8 may leave nothing of images of 8 x "),
        (dict(model="resnet"), r"^there is no model 'resnet'"),
        (dict(resume="no.ckpt"), r"^there is no checkpoint no.ckpt: give the file last.ckpt"),
        (dict(precision="16-mixed", accelerator="cpu"), r"^training.precision is '16-mixed', wh"),
    ):
        arguments: dict[str, Any] = {"output": tmp_path / "out"} | settings
        with pytest.raises(TrainingError, match=message):
            tiny(**arguments)
    with pytest.raises(DataError, match=r"^there is no data set 'nowhere'"):
        tiny(MODEL, DataSection("nowhere"), output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_run_ends_when_it_has_been_no_better_for_so_many_epochs(tmp_path: Path) -> None:
    result = tiny(output=tmp_path / "out", epochs=40, lr=1.0, patience=2)
    history = list(result.history)
    assert len(history) < 40
    assert is_over(history, 2)
    assert not is_over(history[:-1], 2)
    assert not is_over(history, 0)
    assert result.epoch == len(history) - 3
    # what is over does not go on
    again = tiny(output=tmp_path / "out", epochs=40, lr=1.0, patience=2, resume=True)
    assert replace(again, seconds=result.seconds) == result


def test_a_run_keeps_its_recipe_from_which_it_can_be_repeated(
    tmp_path: Path, undisturbed: TrainResult
) -> None:
    recipe = read_recipe(undisturbed.checkpoint.parents[1] / "recipe.toml")
    assert None not in (recipe.training.lr, recipe.training.threads, recipe.data.augmentation)
    again = train(recipe, output=tmp_path, progress=False)
    assert_as_undisturbed(again, undisturbed)


def test_going_on_with_what_has_no_checkpoint_yet_is_beginning(
    tmp_path: Path, undisturbed: TrainResult
) -> None:
    (tmp_path / "recipe.toml").write_text("of a run that was killed in its first epoch")
    with pytest.raises(TrainingError, match=r"is in use"):
        tiny(output=tmp_path)
    assert_as_undisturbed(tiny(output=tmp_path, resume=True), undisturbed)


def test_progress_of_a_download_is_a_line_for_each_file(capfd: pytest.CaptureFixture[str]) -> None:
    with downloading(shown=True) as move:
        assert move is not None
        for have in (1000, 4000):
            move("a.gz", have, 4000)
        move("b.gz", 5, 10)
    out, err = capfd.readouterr()
    assert out == ""
    assert [line.split()[0] for line in err.splitlines()] == ["a.gz", "b.gz"]
    assert "4.0/4.0 kB" in err
    with downloading(shown=True):
        pass
    with downloading(shown=False) as move:
        assert move is None
    assert capfd.readouterr() == ("", "")
