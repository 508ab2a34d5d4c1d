"""The command line: each command the thin face of the public function of the same name."""

from __future__ import annotations

import io
import os
import signal
import sys
import time
import warnings
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from lutloom import __version__
from lutloom.core.errors import LutloomError, LutloomWarning, readable
from lutloom.entry import INTERRUPTED, end, leave

if TYPE_CHECKING:
    from types import FrameType

app = typer.Typer(
    name="lutloom",
    help="Low-bit neural networks, woven exactly into FPGA fabric.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_MODEL = Annotated[Path, typer.Argument(help="The QONNX model, an .onnx file.", show_default=False)]
_BUILD = Annotated[Path, typer.Argument(help="The directory of a build.", show_default=False)]
_INPUT_TYPE = Annotated[
    list[str] | None,
    typer.Option(
        help="The integers that the model's input holds: uint8, int4, bipolar, 0..9, ...;"
        " of several inputs each: NAME=uint8."
    ),
]
_INPUT_SCALE = Annotated[
    list[str] | None,
    typer.Option(help="What one of them stands for, exactly: 1/255, or one a channel: 1/2,1/3."),
]
_INPUT_BIAS = Annotated[
    list[str] | None,
    typer.Option(help="What zero stands for: 0 by default; one a channel as above."),
]
_MOST_SAMPLES = 1_000_000

_TIDYING = 2.0
"""How many seconds after a signal another one is not heeded."""

_FORCE = Annotated[bool, typer.Option("--force", help="Replace the output if it exists.")]
_BOARD = Annotated[str, typer.Option(help="A board's name, or the path of its TOML file.")]
_TARGET = Annotated[
    str | None, typer.Option(help="A board's name, or the path of its TOML file: pynq-z2.")
]
_PART = Annotated[
    str | None, typer.Option(help="A part that stands alone, instead: xc7z010clg400-1.")
]
_CLOCK = Annotated[
    float | None,
    typer.Option("--clock-mhz", "--clock", help="The fabric clock: the board's by default."),
]
_UTILIZATION = Annotated[
    float, typer.Option(help="The share of the look-up tables that a plan may take.")
]
_WORD_BITS = Annotated[
    int | None, typer.Option(help="The width of the AXI streams: as fits by default.")
]


class EngineName(Enum):
    """What computes: mirrors ``lutloom.Engine`` without loading it."""

    COMPILED = "compiled"
    REFERENCE = "reference"
    CSIM = "csim"
    ADVERSARIAL = "adversarial"


def _version(value: bool) -> None:
    if value:
        typer.echo(f"lutloom {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Low-bit neural networks, woven exactly into FPGA fabric."""


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Where everything goes.")] = Path(
        "lutloom-demo"
    ),
    model: Annotated[str, typer.Option(help="The network to train.")] = "SFC_1W1A",
    board: _BOARD = "pynq-z2",
    force: _FORCE = False,
) -> None:
    """Train a binarized network on real digits, compile it, and prove every stage equal."""
    import lutloom
    from lutloom import console

    result = lutloom.demo(output, model=model, board=board, force=force, on_step=console.step)
    console.show_demo(result)
    if not result.verification.passed:
        raise typer.Exit(1)


@app.command()
def train(  # noqa: PLR0913, PLR0917 - options
    recipe: Annotated[
        str,
        typer.Argument(
            help="A recipe: its name (see `recipes`), or its .toml file; or a model, TFC_1W1A, with"
            " --data.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where checkpoints and model go.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="'digits' (comes with scikit-learn), mnist, fashion-mnist, cifar10, cifar100, or a"
            " folder or .npz file."
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="How often it sees the data.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images a step.")] = None,
    lr: Annotated[float | None, typer.Option(help="The highest learning rate.")] = None,
    seed: Annotated[int | None, typer.Option(help="Everything random follows from it.")] = None,
    augmentation: Annotated[
        str | None, typer.Option(help="How images are varied: crop=4,shift=2,flip or a part of it.")
    ] = None,
    board: _TARGET = None,
    target_fps: Annotated[
        float | None, typer.Option(help="Images a second there: checked before training.")
    ] = None,
    clock_mhz: _CLOCK = None,
    check_only: Annotated[
        bool, typer.Option("--check-only", help="Say what the model takes there, and stop.")
    ] = False,
    overfit_batch: Annotated[
        bool, typer.Option("--overfit-batch", help="See whether one batch is learnt, and stop.")
    ] = False,
    find_lr: Annotated[
        bool, typer.Option("--find-lr", help="See where the loss falls fastest, and stop.")
    ] = False,
    check: Annotated[
        bool, typer.Option(help="Find out before training whether the model can be built.")
    ] = True,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Another value for a key of the recipe: training.optimizer=sgd; again for more.",
            metavar="KEY=VALUE",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in the output, if there is one.")
    ] = False,
    csv_log: Annotated[bool, typer.Option(help="Keep history.csv as well.")] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Keep curves for TensorBoard as well.")
    ] = False,
    download: Annotated[
        bool, typer.Option("--download", help="Fetch what is missing of a named data set.")
    ] = False,
) -> None:
    """Train a quantized network, and export it as QONNX."""
    import lutloom
    from lutloom import console
    from lutloom.training import parse_settings

    settings = parse_settings(set_ or [])
    if check_only:
        readiness = lutloom.check_recipe(
            recipe,
            data=data,
            board=board,
            target_fps=target_fps,
            clock_mhz=clock_mhz,
            settings=settings,
            download=download,
        )
        console.show_readiness(readiness)
        return
    if overfit_batch or find_lr:
        given = {"seed": seed, "batch_size": batch_size, "lr": lr}
        own: dict[str, object] = {f"training.{k}": v for k, v in given.items() if v is not None}
        own |= settings
        if overfit_batch:
            console.show_overfitting(
                lutloom.overfit_batch(recipe, data=data, settings=own, download=download)
            )
        if find_lr:
            console.show_rates(
                lutloom.find_rate(recipe, data=data, settings=own, download=download)
            )
        return
    if output is None:
        raise typer.BadParameter(
            "it is missing: say where checkpoints and model go", param_hint="-o"
        )
    result = lutloom.train(
        recipe,
        output=output,
        data=data,
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        seed=seed,
        augmentation=augmentation,
        board=board,
        target_fps=target_fps,
        clock_mhz=clock_mhz,
        settings=settings,
        resume=resume,
        csv_log=csv_log,
        tensorboard=tensorboard,
        download=download,
        check=check,
        on_check=console.show_readiness,
    )
    console.show_training(result)


@app.command()
def recipes(
    recipe: Annotated[
        str | None, typer.Argument(help="The name of one.", show_default=False)
    ] = None,
) -> None:
    """List the recipes for train, or print one: a file to begin with."""
    import lutloom
    from lutloom.training import recipe_text

    if recipe is not None:
        typer.echo(recipe_text(recipe), nl=False)
        return
    for name, found in lutloom.list_recipes().items():
        typer.echo(f"{name:20}{found.title}")


@app.command()
def inspect(
    model: _MODEL,
    input_type: _INPUT_TYPE = None,
    input_scale: _INPUT_SCALE = None,
    input_bias: _INPUT_BIAS = None,
    qonnx: Annotated[
        Path | None, typer.Option(help="Where the integer graph goes, as a QONNX file.")
    ] = None,
) -> None:
    """Show what a model becomes: layers, widths, weights, what runs on the host."""
    import lutloom
    from lutloom import console
    from lutloom.input_type import by_input

    console.show_inspection(
        lutloom.inspect(
            model,
            input_type=by_input(input_type),
            input_scale=by_input(input_scale),
            input_bias=by_input(input_bias),
            qonnx=qonnx,
        )
    )


@app.command("compile")
def compile_(  # noqa: PLR0913, PLR0917 - options
    model: _MODEL,
    output: Annotated[Path, typer.Option("--output", "-o", help="The directory to make.")],
    board: _TARGET = None,
    part: _PART = None,
    clock_mhz: _CLOCK = None,
    target_fps: Annotated[
        float | None,
        typer.Option(help="Images a second: the plan that takes least for them."),
    ] = None,
    fastest: Annotated[
        bool, typer.Option("--fastest", help="The plan with the highest rate that fits.")
    ] = False,
    max_utilization: _UTILIZATION = 0.7,
    word_bits: _WORD_BITS = None,
    plan: Annotated[
        Path | None, typer.Option(help="A plan.json of an earlier build, edited or not.")
    ] = None,
    input_type: _INPUT_TYPE = None,
    input_scale: _INPUT_SCALE = None,
    input_bias: _INPUT_BIAS = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            help="Inputs of the model (.npy) for testbench and verify; of several NAME=FILE each,"
            " or one .npz."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="The design's name: the model's file.")] = None,
    force: _FORCE = False,
) -> None:
    """Compile a QONNX model to an HLS project."""
    import lutloom
    from lutloom import console
    from lutloom.data import named_source
    from lutloom.input_type import by_input

    console.show_build(
        lutloom.compile(
            model,
            output,
            board=board,
            part=part,
            clock_mhz=clock_mhz,
            target_fps=target_fps,
            fastest=fastest,
            max_utilization=max_utilization,
            word_bits=word_bits,
            plan=plan,
            input_type=by_input(input_type),
            input_scale=by_input(input_scale),
            input_bias=by_input(input_bias),
            data=named_source(data) if data else None,
            name=name,
            force=force,
        )
    )


@app.command()
def explore(  # noqa: PLR0913, PLR0917 - options
    model: _MODEL,
    board: _TARGET = None,
    part: _PART = None,
    clock_mhz: _CLOCK = None,
    max_utilization: _UTILIZATION = 0.7,
    word_bits: _WORD_BITS = None,
    points: Annotated[int, typer.Option(min=2, max=200, help="How many plans at most.")] = 16,
    input_type: _INPUT_TYPE = None,
    input_scale: _INPUT_SCALE = None,
    input_bias: _INPUT_BIAS = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where the plot goes, an HTML page.")
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Where the table goes, as CSV.")] = None,
    json: Annotated[Path | None, typer.Option(help="Where the table goes, as JSON.")] = None,
    save_plans: Annotated[
        Path | None, typer.Option(help="A directory to make, for a plan.json of each row.")
    ] = None,
) -> None:
    """Show what rates a model can have on a board, and the least that each of them takes."""
    import lutloom
    from lutloom import console
    from lutloom.input_type import by_input

    console.show_exploration(
        lutloom.explore(
            model,
            board=board,
            part=part,
            clock_mhz=clock_mhz,
            max_utilization=max_utilization,
            word_bits=word_bits,
            points=points,
            input_type=by_input(input_type),
            input_scale=by_input(input_scale),
            input_bias=by_input(input_bias),
            output=output,
            csv=csv,
            json=json,
            save_plans=save_plans,
        )
    )


@app.command()
def simulate(  # noqa: PLR0913, PLR0917 - options
    build: _BUILD,
    data: Annotated[
        list[str],
        typer.Option(
            help="What the model takes, [N, ...]: a .npy file, or a folder of images, whose"
            " sub-folders are classes; of several inputs NAME=FILE each, or one .npz."
        ),
    ],
    labels: Annotated[Path | None, typer.Option(help="The N classes, a .npy file.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Where the model's outputs go, a .npy file; several: a .npz file."),
    ] = None,
    engine: Annotated[
        EngineName | None,
        typer.Option(help="What computes: the compiled engine, where there is a C++ compiler."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="For the adversarial one.")] = 0,
    limit: Annotated[
        int | None, typer.Option(min=1, help="How many of the images are used: the first ones.")
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, max=_MOST_SAMPLES, help="How many of them at a time.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Cores of the compiled engine: all of them.")
    ] = None,
    instructions: Annotated[
        str | None,
        typer.Option(help="Vectors of the compiled engine: portable, avx2, avx512, vnni, ..."),
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(
            help="A Dask scheduler, tcp://HOST:8786, whose workers compute; they need lutloom too.",
            metavar="ADDRESS",
        ),
    ] = None,
    trace: Annotated[
        list[str] | None,
        typer.Option(
            help="A layer whose integers are written, LAYER=FILE.npy; several one by one.",
            metavar="LAYER[=FILE]",
        ),
    ] = None,
    expect: Annotated[
        list[str] | None,
        typer.Option(help="Outputs that there should be, as --output wrote them: else status 1."),
    ] = None,
    min_accuracy: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of the labels to be met, 0.84: else status 1."),
    ] = None,
    confusion: Annotated[
        Path | None, typer.Option(help="Where images by label and class go, a CSV file.")
    ] = None,
    white: Annotated[float, typer.Option(help="The number that white is in an image.")] = 1.0,
    mean: Annotated[
        str | None, typer.Option(help="Taken away from it: 0.5, or one a channel: 0.4,0.5,0.4.")
    ] = None,
    std: Annotated[str | None, typer.Option(help="What that is divided by, as above.")] = None,
) -> None:
    """Run a build over a data set, bit for bit as the hardware would."""
    import lutloom
    from lutloom import console
    from lutloom.data import named_source
    from lutloom.image_folder import Pixels, numbers
    from lutloom.tracing import named_files

    with console.progress("Simulating", "images") as on_progress:
        result = lutloom.simulate(
            build,
            named_source(data),
            labels=labels,
            output=output,
            engine=None if engine is None else lutloom.Engine(engine.value),
            seed=seed,
            limit=limit,
            batch=batch,
            threads=threads,
            instructions=instructions,
            dask=dask,
            trace=named_files(trace or []),
            expect=named_source(expect, "expect") if expect else None,
            min_accuracy=min_accuracy,
            confusion=confusion,
            pixels=Pixels(white, numbers("mean", mean), numbers("std", std)),
            keep=False,
            on_progress=on_progress,
        )
    console.show_simulation(result)
    if not result.passed:
        raise typer.Exit(1)


@app.command()
def verify(
    build: _BUILD,
    data: Annotated[
        list[str] | None,
        typer.Option(help="Inputs of the model, as for simulate; else compile's, or random."),
    ] = None,
    samples: Annotated[
        int, typer.Option(min=1, max=_MOST_SAMPLES, help="How many of them to use.")
    ] = 100,
    exact: Annotated[
        int,
        typer.Option(
            min=0, max=_MOST_SAMPLES, help="Interpret that many of them in exact numbers; slow."
        ),
    ] = 0,
    csim: Annotated[bool, typer.Option(help="Compile and run the C++ as well.")] = True,
    seed: Annotated[
        int, typer.Option(min=0, help="For random inputs, and for waiting at random.")
    ] = 0,
) -> None:
    """Compare every stage of a build with the one before it, element by element."""
    import lutloom
    from lutloom import console
    from lutloom.data import named_source

    result = lutloom.verify(
        build,
        named_source(data) if data else None,
        samples=samples,
        exact=exact,
        csim=csim,
        seed=seed,
        on_step=console.step,
    )
    console.show_verification(result)
    if not result.passed:
        raise typer.Exit(1)


@app.command()
def throughput(
    build: _BUILD,
    clock_mhz: Annotated[
        float | None, typer.Option(min=1, max=1000, help="The clock: the board's by default.")
    ] = None,
    minimize_fifos: Annotated[
        Path | None,
        typer.Option(help="Where a plan goes whose FIFOs are as short as they can be; minutes."),
    ] = None,
) -> None:
    """Say how many images a second a build takes, by a model of its loops and FIFOs."""
    import lutloom
    from lutloom import console

    with console.progress("Trying FIFOs") as on_progress:
        result = lutloom.throughput(
            build, clock_mhz=clock_mhz, minimize_fifos=minimize_fifos, on_progress=on_progress
        )
    console.show_throughput(result)


@app.command()
def report(
    build: _BUILD,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The page, a .html file: report.html in the build."),
    ] = None,
) -> None:
    """Write what a build is and takes, as a page and as JSON."""
    import lutloom

    typer.echo(f"report: {lutloom.report(build, output)}")


@app.command()
def boards(
    board: Annotated[
        str | None,
        typer.Argument(help="A board's name, or the path of its TOML file.", show_default=False),
    ] = None,
    part: _PART = None,
) -> None:
    """List the boards, or say all that is known of one."""
    import lutloom
    from lutloom import console
    from lutloom.targets import target_of

    if board is None and part is None:
        console.show_boards(lutloom.list_boards())
    else:
        console.show_board(target_of(board, part, None).board)


def main() -> None:
    """Run the command line, and end the process.

    The exit status is 0, or 1 where a verification failed, 2 where something is refused, 130
    after Ctrl-C (as a shell has it: 128 and the signal). What the user can act on is one message
    on standard error, never a traceback.
    """
    ended_by, ended_at = 0, 0.0

    def interrupt(number: int, frame: FrameType | None) -> None:
        # Libraries make other exceptions of KeyboardInterrupt: the number stays.
        nonlocal ended_by, ended_at
        now = time.monotonic()
        if ended_by and now - ended_at < _TIDYING:
            return  # a second Ctrl-C at once would end the tidying up
        ended_by, ended_at = number, now
        signal.default_int_handler(number, frame)

    before = {}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        handler = signal.getsignal(number)
        if handler in (signal.default_int_handler, signal.SIG_DFL, leave):
            before[number] = handler
            signal.signal(number, interrupt)
    status = 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", LutloomWarning)
            warnings.showwarning = _show_warning
            status = _run()
    except BaseException:
        if not ended_by:
            raise
    finally:
        if ended_by:
            _complain(INTERRUPTED)
        for number, handler in before.items():
            is_said = ended_by and handler is leave
            signal.signal(number, end if is_said else handler)
    sys.exit(128 + ended_by if ended_by else status)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning as a line: what is meant for users without the place in the source."""
    if issubclass(category, LutloomWarning):
        _complain(readable(str(message)))
        return
    stream = file or sys.stderr
    stream.write(warnings.formatwarning(message, category, filename, lineno, line))


def _run() -> int:
    """Run the command line and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Names of models and files may hold what the terminal's encoding doesn't.
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            app(prog_name="lutloom")
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 0
        else:
            status = 0
        sys.stdout.flush()
    except LutloomError as error:
        _complain(str(error))
        return 2
    except MemoryError:
        _complain("there is not enough memory for this")
        return 2
    except ImportError as error:
        text = f"{error}: the installation is not complete; install lutloom again"
        _complain(readable(text))
        return 2
    except OSError as error:
        _drop_output()
        if isinstance(error, BrokenPipeError):
            return 1  # the reader has seen enough
        where = f"{error.filename}: " if error.filename else ""
        _complain(readable(f"{where}{error.strerror or error}"))
        return 2
    return status


def _drop_output() -> None:
    """Forget what can't be written: the interpreter would try again, and complain, at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(message: str) -> None:
    """Say on standard error what is wrong."""
    typer.echo(f"lutloom: {message}", err=True)
