"""``train``: quantization-aware training, ending with a QONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lutloom.extras import require

if TYPE_CHECKING:
    from lutloom.qat.trainer import TrainResult


def train(  # noqa: PLR0913 - each is an option of the command
    model: str,
    *,
    data: str | Path,
    output: str | Path,
    epochs: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    seed: int = 0,
    resume: str | Path | None = None,
    progress: bool = True,
    csv_log: bool = False,
    download: bool = False,
    augmentation: str | None = None,
) -> TrainResult:
    """Train ``model`` (``TFC_1W1A`` to ``LFC_2W2A``) and write ``output``/``model``.onnx.

    ``data`` is a name, ``digits``, ``mnist``, ``fashion-mnist``, ``cifar10`` or ``cifar100``, or a
    folder or file with a data set; with ``download``, what is missing of a named one is fetched.
    ``augmentation`` is how images are varied: ``crop=4,flip``.
    See ``lutloom.qat.trainer`` and ``lutloom.qat.data``.

    Raises ``MissingExtraError`` where the extra ``qat`` is not installed, and a ``LutloomError``
    for data, settings and checkpoints that don't fit.
    """
    require("qat", "torch", "brevitas", "lightning", "sklearn")
    from lutloom.qat.trainer import train as run

    return run(
        model,
        data=data,
        output=output,
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        seed=seed,
        resume=resume,
        progress=progress,
        csv_log=csv_log,
        download=download,
        augmentation=augmentation,
    )
