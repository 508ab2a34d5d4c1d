"""What a recipe, a teacher and learned shifts each add to the accuracy of SFC-1W1A.

    python benchmarks/ablation.py --data mnist -o DIR [--epochs 30] [--seeds 3] [--teacher RUN]

Every row is trained once a seed, each run into a folder of ``DIR`` from which it goes on if it was
interrupted; what was done before is not done again. *plain* is the recipe of Brevitas' example in
as many epochs: steps of the rate, a dropout of 0.2, images as they are. *recipe* is ``sfc-1w1a``,
*shifts* an RPReLU before each sign (``rprelu``), *teacher* the logits of the same net in floats,
trained first if no run of it is given. What is printed is Markdown.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

from rich.console import Console

import lutloom

if TYPE_CHECKING:
    from collections.abc import Mapping

RECIPE, TEACHER = "sfc-1w1a", "SFC_FLOAT"
STEPS = 3
SHIFTS: Mapping[str, object] = {
    "quantization": {"weights": "binary", "activations": {"kind": "rprelu", "bits": 1}}
}


def plain(epochs: int) -> Mapping[str, object]:
    """Return what makes the recipe that of Brevitas' example, in ``epochs``."""
    return {
        "model.dropout": 0.2,
        "data.augmentation": "",
        "training.lr": 0.02,
        "training.schedule": "step",
        "training.step_epochs": max(1, epochs // STEPS),
        "training.warm_up": 0.0,
    }


def taught(teacher: Path) -> Mapping[str, object]:
    """Return what makes a run learn from the logits of ``teacher``."""
    return {"distillation": {"teacher": str(teacher), "weight": 0.5, "temperature": 4.0}}


def accuracy(folder: Path, settings: Mapping[str, object], arguments: argparse.Namespace) -> float:
    """Train the recipe with ``settings`` into ``folder``, and return the accuracy in percent."""
    result = lutloom.train(
        RECIPE,
        output=folder,
        data=arguments.data,
        epochs=arguments.epochs,
        settings=settings,
        resume=(folder / "checkpoints" / "last.ckpt").exists(),
        check=False,
        progress=False,
    )
    return 100 * result.accuracy


def main() -> None:
    """Print a row for each combination: the accuracy of each seed, their mean, what it adds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", required=True, help="MNIST: mnist, or the path of it")
    parser.add_argument("-o", "--output", type=Path, required=True, help="where runs are kept")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--teacher", type=Path, help=f"a run of {TEACHER}")
    arguments = parser.parse_args()
    console = Console()
    teacher = arguments.teacher
    if teacher is None:
        teacher = arguments.output / "teacher"
        last = teacher / "checkpoints" / "last.ckpt"
        made = lutloom.train(
            TEACHER,
            output=teacher,
            data=arguments.data,
            epochs=arguments.epochs,
            augmentation="shift=1",
            settings={"training.lr": 0.003},
            resume=last.exists(),
            progress=False,
        )
        console.print(f"{TEACHER}, the teacher: {100 * made.accuracy:.2f} %")
    without, teaching = plain(arguments.epochs), taught(teacher)
    rows: Mapping[str, Mapping[str, object]] = {
        "plain": without,
        "plain + shifts": {**without, **SHIFTS},
        "plain + teacher": {**without, **teaching},
        "recipe": {},
        "recipe + shifts": SHIFTS,
        "recipe + teacher": teaching,
        "recipe + shifts + teacher": {**SHIFTS, **teaching},
    }
    found: dict[str, float] = {}
    console.print(f"| {RECIPE}, {arguments.epochs} epochs | each seed, % | mean, % | adds |")
    console.print("| --- | --- | ---: | ---: |")
    for name, settings in rows.items():
        folder = arguments.output / name.replace(" + ", "-")
        each = [
            accuracy(folder / str(seed), {**settings, "training.seed": seed}, arguments)
            for seed in range(arguments.seeds)
        ]
        found[name] = mean(each)
        listed = " ".join(f"{share:.2f}" for share in each)
        adds = f"{found[name] - found['plain']:+.2f}"
        console.print(f"| {name} | {listed} | {found[name]:.2f} | {adds} |", soft_wrap=True)


if __name__ == "__main__":
    main()
