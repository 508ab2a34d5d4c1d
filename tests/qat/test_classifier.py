"""The schedule of a run, and which of its epochs is chosen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("lightning", reason="needs lightning")

from lutloom.qat.classifier import best_epoch, rate
from lutloom.qat.settings import EpochReport


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
