"""The schedule of a run, which of its epochs is chosen, and what images it sees."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("lightning", reason="needs lightning")

import torch

from lutloom.qat.classifier import Classifier, best_epoch
from lutloom.qat.optimization import rate
from lutloom.qat.recipe import DataSection, ModelSection, Recipe, TrainingSection
from lutloom.qat.settings import EpochReport, Run


@given(st.integers(1, 3000), st.sampled_from(["cosine", "one-cycle"]))
def test_the_rate_rises_to_one_and_falls_to_almost_nothing(steps: int, schedule: str) -> None:
    training = TrainingSection(schedule=schedule)
    rates = [rate(training, step, steps, 10) for step in range(steps)]
    peak = rates.index(max(rates))
    assert steps == 1 or max(rates) == 1.0
    assert min(rates) > 0
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert steps < 100 or rates[-1] < 0.001


def test_the_rate_may_stay_or_fall_in_steps() -> None:
    training = TrainingSection(schedule="step", step_epochs=2, step_factor=0.5, warm_up=0.0)
    assert [rate(training, step, 18, 3) for step in range(18)] == 6 * [1] + 6 * [0.5] + 6 * [0.25]
    constant = TrainingSection(schedule="constant", warm_up=0.2)
    assert [rate(constant, step, 10, 3) for step in range(10)] == [0.5] + 9 * [1.0]


@given(st.lists(st.sampled_from([0.25, 0.5, 0.75]), min_size=1, max_size=9))
def test_the_latest_of_the_best_epochs_is_chosen(accuracies: list[float]) -> None:
    history = [EpochReport(epoch, 1.0, accuracy) for epoch, accuracy in enumerate(accuracies)]
    chosen = best_epoch(history)
    assert accuracies[chosen] == max(accuracies)
    assert max(accuracies) not in accuracies[chosen + 1 :]


def test_images_are_varied_anew_in_each_batch_and_epoch_and_never_for_validation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = Recipe(
        ModelSection("m"),
        DataSection("d", augmentation="crop=2"),
        TrainingSection(epochs=2, batch_size=2, lr=0.1, threads=1),
    )
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(1, 256, (1, 1, 6, 6), dtype=torch.uint8, generator=generator)
    images, labels = image.repeat(10, 1, 1, 1), torch.zeros(10, dtype=torch.int64)
    both, run = (images, labels), Run(recipe, "d", 10)
    module = Classifier(torch.nn.Linear(1, 1), run, both, both, 2, Fraction(1, 255))

    def epoch(number: int) -> list[bytes]:
        monkeypatch.setattr(Classifier, "current_epoch", number)
        return [pixels.numpy().tobytes() for pixels, _ in module.train_dataloader()]

    first, second = epoch(0), epoch(1)
    assert len({*first, *second}) == 10
    assert epoch(0) == first
    ((pixels, _),) = module.val_dataloader()
    assert torch.equal(pixels, images.float() / 255)
