"""What is kept of each epoch beside its checkpoint: a table as CSV, curves for TensorBoard."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import astuple, fields
from importlib.util import find_spec
from pathlib import Path

from lutloom.core.files import write_file
from lutloom.qat.errors import TrainingError
from lutloom.qat.settings import EpochReport


def check_tensorboard() -> None:
    """Raise :class:`TrainingError` unless TensorBoard is installed."""
    if find_spec("tensorboard") is None:
        raise TrainingError("curves need TensorBoard: run pip install tensorboard")


def write_csv(path: Path, history: Sequence[EpochReport]) -> None:
    """Write the reports of all epochs to ``path``, which is there whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in fields(EpochReport))
    writer.writerows(map(astuple, history))
    write_file(path, text.getvalue().encode(), sync=True)


def curves(folder: Path) -> Callable[[EpochReport], None]:
    """Return a function that adds the report of an epoch to the curves in ``folder``."""
    from torch.utils.tensorboard import SummaryWriter

    def add(report: EpochReport) -> None:
        # each in a file of its own, so that nothing is left open if the run is killed
        with SummaryWriter(str(folder)) as writer:
            for name in ("loss", "accuracy"):
                writer.add_scalar(name, getattr(report, name), report.epoch)

    return add
