"""Short runs: one batch is learnt by heart, and rising rates find one that suits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("lightning", reason="needs lightning")
pytest.importorskip("brevitas", reason="needs brevitas")
pytest.importorskip("sklearn", reason="needs scikit-learn")

import torch

from lutloom.qat.errors import TrainingError
from lutloom.qat.recipe import DataSection, ModelSection, Recipe, TrainingSection
from lutloom.qat.trainer import Prepared, prepare
from lutloom.qat.trials import RateSearch, find_rate, overfit_batch

RECIPE = Recipe(
    ModelSection("TFC_2W2A"),
    DataSection("digits", augmentation="crop=3"),
    TrainingSection(batch_size=20, patience=1),
)


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prepared:
    monkeypatch.chdir(tmp_path)
    return prepare(RECIPE, progress=False)


def test_one_batch_is_learnt_by_heart(prepared: Prepared, tmp_path: Path) -> None:
    result = overfit_batch(prepared, 60)
    assert result.images == 20
    assert len(result.history) == 60
    assert result.history[-1].accuracy == 1.0
    assert result.history[-1].loss < result.history[0].loss / 10
    assert list(tmp_path.iterdir()) == []


def test_the_rate_where_the_loss_falls_fastest_is_found(prepared: Prepared, tmp_path: Path) -> None:
    result = find_rate(prepared)
    assert len(result.rates) == len(result.losses)
    assert list(result.rates) == sorted(result.rates)
    assert 1e-4 < result.suggestion < 1
    least = min(result.losses)
    assert result.suggestion < result.rates[result.losses.index(least)]
    assert list(tmp_path.iterdir()) == []


def test_the_suggestion_is_in_the_middle_of_the_steepest_fall() -> None:
    assert RateSearch((1, 2, 3, 4, 5, 6), (9, 9, 8, 5, 4, 4)).suggestion == 3
    assert RateSearch((1, 2, 3, 4, 5), (9, 9, 9, 5, 1)).suggestion == 4


class Broken(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(10))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels.flatten(1)[:, :10] * self.weight / 0


def test_a_loss_that_is_no_number_ends_a_run(prepared: Prepared) -> None:
    with pytest.raises(TrainingError, match=r"^the loss of epoch 1 is nan: try a lower training\."):
        overfit_batch(replace(prepared, model=Broken()), 3)


def test_a_loss_that_is_no_number_has_no_rate(prepared: Prepared) -> None:
    with pytest.raises(TrainingError, match=r"^the loss goes out of hand at a learning rate of 1e"):
        find_rate(replace(prepared, model=Broken()))
