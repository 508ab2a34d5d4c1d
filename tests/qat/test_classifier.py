"""The schedule of a run, which of its epochs is chosen, and what images it sees."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("lightning", reason="needs lightning")

import torch

from lutloom.qat.classifier import Classifier, best_epoch, rate
from lutloom.qat.settings import EpochReport, TrainSettings


@given(st.integers(1, 3000))
def test_the_rate_rises_to_one_and_falls_to_almost_nothing(steps: int) -> None:
    rates = [rate(step, steps) for step in range(steps)]
    peak = rates.index(max(rates))
    assert max(rates) == 1.0
    assert min(rates) > 0
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert steps < 100 or rates[-1] < 0.001


@given(st.lists(st.sampled_from([0.25, 0.5, 0.75]), min_size=1, max_size=9))
def test_the_latest_of_the_best_epochs_is_chosen(accuracies: list[float]) -> None:
    history = [EpochReport(epoch, 1.0, accuracy) for epoch, accuracy in enumerate(accuracies)]
    chosen = best_epoch(history)
    assert accuracies[chosen] == max(accuracies)
    assert max(accuracies) not in accuracies[chosen + 1 :]


def test_images_are_varied_anew_in_each_batch_and_epoch_and_never_for_validation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = TrainSettings("m", "d", 10, 2, 2, 0.1, 0, 1, augmentation="crop=2")
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(1, 256, (1, 1, 6, 6), dtype=torch.uint8, generator=generator)
    images, labels = image.repeat(10, 1, 1, 1), torch.zeros(10, dtype=torch.int64)
    both = (images, labels)
    module = Classifier(torch.nn.Linear(1, 1), settings, both, both, 2, Fraction(1, 255))

    def epoch(number: int) -> list[bytes]:
        monkeypatch.setattr(Classifier, "current_epoch", number)
        return [pixels.numpy().tobytes() for pixels, _ in module.train_dataloader()]

    first, second = epoch(0), epoch(1)
    assert len({*first, *second}) == 10
    assert epoch(0) == first
    ((pixels, _),) = module.val_dataloader()
    assert torch.equal(pixels, images.float() / 255)
