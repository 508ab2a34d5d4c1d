"""A recipe: all that decides what a training run makes, as values that say what is legal.

With the data set, a recipe decides every bit of the weights. What is left open, None, is chosen
when the data are known (:func:`lutloom.qat.trainer.train`), and written down with the run.
:mod:`lutloom.qat.recipe_file` reads and writes recipes as TOML.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeAlias, get_args

from lutloom.qat.recipe_rules import Section, choice, flag, number, options, text, texts, whole

VERSION = 1
"""The version of the format; a file of another one is refused."""

Option: TypeAlias = bool | int | float | str | tuple[int, ...]
Precision: TypeAlias = Literal["32", "bf16-mixed", "16-mixed"]
_MANY = 1_000_000


@dataclass(frozen=True)
class ModelSection(Section):
    """The model by its name, a family and its bits or a family alone, and the family's options."""

    section: ClassVar[str] = "model"

    name: str = field(metadata=text("the name of a model, such as SFC_1W1A"))
    options: Mapping[str, Option] = field(default_factory=dict, metadata=options())

    def __post_init__(self) -> None:
        Section.__post_init__(self)
        given: dict[str, object] = dict(self.options)
        given = {
            name: tuple(option) if isinstance(option, list) else option
            for name, option in given.items()
        }
        object.__setattr__(self, "options", given)


@dataclass(frozen=True)
class DataSection(Section):
    """The data set by name or path; how images are varied, and the share that validates.

    Of each class, the first of every ``1 / validation`` images chooses the epoch; None is a tenth,
    of many images at most 5,000.
    """

    section: ClassVar[str] = "data"

    name: str = field(metadata=text("the name of a data set, or the path of one"))
    augmentation: str | None = field(
        default=None, metadata=text("a text as crop=4,flip", may_be_empty=True)
    )
    validation: float | None = field(default=None, metadata=number(0.001, 0.5))


@dataclass(frozen=True)
class TrainingSection(Section):
    """How weights are found.

    ``epochs`` may be 0 where a :class:`StartSection` says what the model is made of.
    ``lr`` is the highest learning rate, ``warm_up`` the share of all steps over which it rises;
    ``gradient_clip`` the largest norm of a gradient, 0 for any; ``patience`` the epochs without a
    better one after which training ends, 0 for never; ``recalibrate`` the images whose statistics
    the batch norms have at the end, 0 for those of training, if they are at least as good for
    validation; ``threads`` those of torch, since sums are
    split between them. A checkpoint is written at the end of each epoch, and within one after so
    many steps or minutes, 0 for never.
    """

    section: ClassVar[str] = "training"

    epochs: int | None = field(default=None, metadata=whole(0, _MANY))
    batch_size: int | None = field(default=None, metadata=whole(1, _MANY))
    optimizer: str = field(default="adam", metadata=choice("adam", "adamw", "sgd"))
    lr: float | None = field(default=None, metadata=number(0, 1000, is_low_in=False))
    momentum: float = field(default=0.9, metadata=number(0, 1, is_high_in=False))
    weight_decay: float = field(default=0.0, metadata=number(0, 10))
    schedule: str = field(
        default="cosine", metadata=choice("cosine", "one-cycle", "step", "constant")
    )
    warm_up: float = field(default=0.05, metadata=number(0, 1, is_high_in=False))
    step_epochs: int = field(default=30, metadata=whole(1, _MANY))
    step_factor: float = field(default=0.1, metadata=number(0, 1, is_low_in=False))
    gradient_clip: float = field(default=0.0, metadata=number(0, _MANY))
    label_smoothing: float = field(default=0.0, metadata=number(0, 1, is_high_in=False))
    precision: Precision = field(default="32", metadata=choice(*get_args(Precision)))
    patience: int = field(default=0, metadata=whole(0, _MANY))
    seed: int = field(default=0, metadata=whole(0, 2**32 - 1))
    recalibrate: int = field(default=0, metadata=whole(0, 10**9))
    threads: int | None = field(default=None, metadata=whole(1, 1024))
    accelerator: str = field(default="auto", metadata=choice("auto", "cpu", "gpu"))
    devices: int = field(default=1, metadata=whole(1, 64))
    nodes: int = field(default=1, metadata=whole(1, 1024))
    checkpoint_steps: int = field(default=0, metadata=whole(0, _MANY))
    checkpoint_minutes: float = field(default=10.0, metadata=number(0, _MANY))


@dataclass(frozen=True)
class StartSection(Section):
    """The same family in floats, trained, from which the weights begin (:mod:`lutloom.qat.start`).

    ``checkpoint`` is one of its run, or the folder of that; ``images`` are those by which ranges
    of activations are chosen, and ``equalize`` evens out the channels of weights before.
    """

    section: ClassVar[str] = "start"

    checkpoint: str = field(metadata=text("the folder of a run, or a checkpoint"))
    images: int = field(default=1000, metadata=whole(1, 10**9))
    equalize: bool = field(default=False, metadata=flag())


@dataclass(frozen=True)
class DistillationSection(Section):
    """What a trained model, the teacher, adds to the loss (:mod:`lutloom.qat.distillation`).

    ``teacher`` is the folder of its run, or one of its checkpoints; ``weight`` the share of the
    loss that its logits have at ``temperature``. ``features`` are layers whose outputs are to tell
    images apart as the teacher's do, by their names in the model, with the teacher's behind a colon
    where that is another; ``feature_weight`` is what that adds.
    """

    section: ClassVar[str] = "distillation"

    teacher: str = field(metadata=text("the folder of a run, or a checkpoint"))
    weight: float = field(default=0.5, metadata=number(0, 1))
    temperature: float = field(default=4.0, metadata=number(0, 1000, is_low_in=False))
    features: tuple[str, ...] = field(
        default=(), metadata=texts('a list of names of layers, as ["conv3", "conv5:linear1"]')
    )
    feature_weight: float = field(default=3000.0, metadata=number(0, 10**9))


@dataclass(frozen=True)
class BoardSection(Section):
    """What the model is to run on, and at how many images a second: checked before training.

    ``target_fps`` is None for as many as can be, ``clock_mhz`` for the board's own clock.
    """

    section: ClassVar[str] = "board"

    name: str = field(metadata=text("the name of a board, or the path of its TOML file"))
    target_fps: float | None = field(default=None, metadata=number(0, 1e12, is_low_in=False))
    clock_mhz: float | None = field(default=None, metadata=number(1, 1000))


@dataclass(frozen=True)
class Recipe:
    """What a run is made from; ``quantization`` is a text or table as TOML has it.

    :func:`lutloom.qat.quantization_text.parse_quantization` says what it means; None is what the
    model's name says, or its family.
    """

    model: ModelSection
    data: DataSection
    training: TrainingSection = TrainingSection()
    quantization: str | Mapping[str, object] | None = None
    start: StartSection | None = None
    distillation: DistillationSection | None = None
    board: BoardSection | None = None
    title: str = ""
