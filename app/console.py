"""What the commands print: tables for people, on a terminal or in a log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from lutloom.tables import Column, Kind, laid_out

if TYPE_CHECKING:
    from lutloom.boards import Board, Silicon
    from lutloom.build import Build
    from lutloom.core.plan import Folding
    from lutloom.core.ports import InputPort, OutputPort
    from lutloom.demonstration import Demonstration
    from lutloom.estimation import Estimate
    from lutloom.exploration import Exploration
    from lutloom.fifo_table import FifoRow
    from lutloom.frame_rates import Throughput
    from lutloom.inspection import Inspection, Layer
    from lutloom.joins import Join
    from lutloom.qat.trainer import TrainResult
    from lutloom.qat.trials import Overfitting, RateSearch
    from lutloom.readiness import Readiness
    from lutloom.simulation import Simulation
    from lutloom.streamline.layer_comparison import LayerComparison
    from lutloom.tables import Row
    from lutloom.verification import Check, Verification

_console = Console(soft_wrap=False, highlight=False)
_LONGEST_NAME = 60
_FEW_CLASSES = 10


def step(sentence: str) -> None:
    """Announce a step."""
    _console.print(f"[bold]{_plain(sentence)}[/]", soft_wrap=True)


@contextmanager
def progress(what: str, unit: str = "") -> Iterator[Callable[[int, int], None]]:
    """Show a bar on a terminal, on standard error; yield the function that moves it.

    It says how much time is left, and with a ``unit`` how many of these are done a second.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TimeRemainingColumn,
    )

    columns: list[str | ProgressColumn] = [what, BarColumn(), MofNCompleteColumn()]
    if unit:
        columns.append("{task.fields[rate]}")
    columns.append(TimeRemainingColumn())
    errors = Console(stderr=True)
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task(what, total=None, rate="")

        def move(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)
            speed = bar.tasks[task].speed
            bar.update(task, rate="" if speed is None else f"{speed:,.0f} {unit}/s")

        yield move


def show_readiness(readiness: Readiness) -> None:
    """Print what an untrained model would take of its board."""
    from lutloom.inspection import step_name

    network = readiness.network
    for where, steps in (
        ("before", [step for port in network.inputs for step in port.head]),
        ("behind", [step for port in network.outputs for step in port.tail]),
    ):
        _say(f"on the host, {where}", ", ".join(map(step_name, steps)) or "nothing")
    if readiness.estimate is None:
        _say("before training", f"{readiness.model} can be built; --board NAME says how fast it is")
        return
    _say("before training", f"{readiness.model} on {readiness.estimate.board.name}, untrained")
    _show_estimate(readiness.estimate)


def show_overfitting(result: Overfitting) -> None:
    """Print whether one batch was learnt by heart."""
    first, last = result.history[0], result.history[-1]
    _say("one batch", f"{result.images} images, {len(result.history)} steps")
    _say("loss", f"{first.loss:.3f} at first, {last.loss:.3f} at last")
    _say("right", f"{last.accuracy:.2%} of them")


def show_rates(search: RateSearch) -> None:
    """Print the losses that learning rates lead to, and which one to begin with."""
    steps = range(0, len(search.rates), max(1, len(search.rates) // 15))
    _show(
        (Column("learning rate"), Column("loss")),
        ((f"{search.rates[step]:.1e}", f"{search.losses[step]:.3f}") for step in steps),
    )
    _say("learning rate", f"the loss falls fastest at {search.suggestion:.1e}")


def show_training(result: TrainResult) -> None:
    """Print how good a trained model is and where it lies."""
    _console.print(
        f"{escape(result.model)} on {escape(result.dataset)}: {result.correct} of {result.images}"
        f" test images right ({result.accuracy:.2%}),"
        f" {f'epoch {result.epoch + 1}' if result.history else 'not trained'},"
        f" {result.seconds:.1f} s"
    )
    _say("model", str(result.onnx))
    _say("checkpoint", str(result.checkpoint))


def show_inspection(result: Inspection) -> None:
    """Print the layers of a model."""
    from lutloom.inspection import step_name

    network = result.network
    _show(
        (
            Column("layer", Kind.NAME),
            Column("operator", Kind.WORDS),
            Column("from", Kind.WORDS, is_spare=True),
            Column("to"),
            Column("integers", Kind.TEXT, is_spare=True),
            *map(Column, ("bits", "weights", "MACs")),
        ),
        (
            (
                layer.name,
                f"{layer.operator} {layer.window}".rstrip(),
                ", ".join(_size(type_.shape) for type_ in layer.inputs),
                _size(layer.output.shape),
                str(layer.output.element).removeprefix("int<").removesuffix(">"),
                str(layer.output.element.bits),
                _factors(layer),
                f"{layer.macs:,}" if layer.macs else "",
            )
            for layer in result.layers
        ),
    )
    _show_joins(result.joins, "for one result")
    for port in network.inputs:
        of = f" {port.name}" if len(network.inputs) > 1 else ""
        steps = ", ".join(map(step_name, port.head)) or "nothing: raw integers go in"
        _say(f"on the host, before{of}", steps)
    for out in network.outputs:
        of = f" {out.name}" if len(network.outputs) > 1 else ""
        _say(f"on the host, behind{of}", ", ".join(map(step_name, out.tail)) or "nothing")
    _say(
        "on the FPGA",
        f"{result.weights:,} weights, {result.weight_bits:,} bits, {result.macs:,} MACs",
    )
    _say_widest(result.widest_sum)
    _say("model", f"{_ports(network.inputs)} to {_ports(network.outputs)}")
    integers = (str(network.graph.inputs[port.value].element) for port in network.inputs)
    _say("integers that go in", ", ".join(integers))
    if result.qonnx is not None:
        _say("integer graph", str(result.qonnx))


def _show_joins(joins: Sequence[Join], when: str) -> None:
    """Print what it costs where results meet, if they do."""
    if not joins:
        return
    _say("where results meet", f"factors, and what adds and multiplies {when}")
    factors = [
        ", ".join(f"{bits} bit" if bits else "1" for bits in join.multiplier_bits) or "results"
        for join in joins
    ]
    _show(
        (
            Column("join", Kind.NAME),
            Column("factors", Kind.WORDS),
            Column("bits"),
            Column("integers", Kind.TEXT),
            *map(Column, ("adders", "multipliers")),
        ),
        (
            (
                join.name,
                words,
                str(join.bits),
                "exact" if join.is_exact else "smaller",
                *(f"{count:,}" if count else "" for count in (join.adders, join.multipliers)),
            )
            for join, words in zip(joins, factors, strict=True)
        ),
    )


def _say_widest(layer: Layer | None) -> None:
    if layer is not None:
        _say("widest sum", f"{layer.accumulator_bits} bits, {_shown(layer.name)}")


def _factors(layer: Layer) -> str:
    if layer.weights:
        return f"{layer.weights:,} x {layer.weight_bits} bit"
    return f"multipliers: {layer.multiplier_bits} bit" if layer.multiplier_bits else ""


def show_build(build: Build) -> None:
    """Print what was built, what it takes and how fast it is, and what to do with it."""
    from lutloom.added_channels import added_channels
    from lutloom.estimation import estimate_of
    from lutloom.inspection import layers_of, widest_sum
    from lutloom.joins import joins_of

    estimate = estimate_of(build)
    _show_foldings(build, estimate)
    grown = [f"{_shown(a.value)} {a.built:,} for {a.model:,}" for a in added_channels(build)]
    if grown:
        _say("channels added", ", ".join(grown))
    _show_joins(joins_of(build.network, build.plan), "in each cycle")
    _say_widest(widest_sum(layers_of(build.network.graph)))
    _show_estimate(estimate)
    _say("built for", f"{build.board.name} ({build.board.part}); not yet synthesized with Vitis")
    _say("project", str(build.directory / "hls"))
    _say("report", str(build.directory / "report.html"))
    _say("other rates", "by --target-fps or --fastest; lutloom explore shows what there is")
    _say("next", f"lutloom verify {build.directory}, then {build.directory / 'NEXT_STEPS.md'}")


def _show_foldings(build: Build, estimate: Estimate) -> None:
    """Print how each process is folded, how long it takes for an image, and what it takes."""
    needed = {name: item.cost.resources.named() for name, item in estimate.processes.items()}
    counted = {"lut": "LUT", "bram18": "BRAM18", "uram": "URAM", "dsp": "DSP"}
    taken = {key: title for key, title in counted.items() if any(n[key] for n in needed.values())}
    several = int(any(folding.pixels > 1 for folding in build.plan.foldings.values()))
    _show(
        (
            Column("process", Kind.NAME),
            *map(Column, ("PE", "SIMD", *["pixels"][:several], "cycles", *taken.values())),
            Column("form", Kind.WORDS),
        ),
        (
            (
                name,
                str(folding.pe),
                str(folding.simd),
                *[str(folding.pixels)][:several],
                f"{estimate.processes[name].cycles:,}",
                *(f"{needed[name][key]:,}" for key in taken),
                _form(folding),
            )
            for name, folding in build.plan.foldings.items()
        ),
    )


def _form(folding: Folding) -> str:
    forms = (folding.memory.value, folding.multiplier.value, folding.comparison.value)
    return " ".join(form for form in forms if form != "auto")


def _show_estimate(estimate: Estimate) -> None:
    """Print what a design takes of its board, and the rate that its loops allow."""
    from lutloom.infeasibility import shown_rate

    _show(
        (
            Column("resource", Kind.TEXT),
            *map(Column, ("design", "shell", "there", "share")),
            Column("known", Kind.TEXT),
        ),
        (
            (
                usage.title,
                f"{usage.needed - usage.shell:,}",
                f"{usage.shell:,}",
                f"{usage.there:,}",
                f"{float(usage.share):.1%}",
                usage.confidence.name.lower(),
            )
            for usage in estimate.usages
            if usage.needed or usage.there
        ),
    )
    slowest, clock = estimate.cost.slowest, f"{estimate.clock_mhz:g} MHz"
    rate = f"at most {shown_rate(estimate.fps, 1)} images/s at {clock}"
    _say("rate", f"{rate} ({_shown(estimate.bottleneck)}: {slowest.cycles:,} cycles)")
    rate = shown_rate(estimate.rate(estimate.pessimistic))
    _say("pessimistic", f"about {rate} images/s, pipelines filling anew for each")
    beats = f"{estimate.beats:,} of {estimate.word_bits} bits an image on {estimate.port}"
    _say("transfers", f"{beats}, at most {shown_rate(estimate.rate(estimate.beats), 1)} images/s")
    _say_fifos(estimate.fifos)


def show_exploration(result: Exploration) -> None:
    """Print the frontier, which part of it fits on the board, and how to get one of its plans."""
    from lutloom.infeasibility import below, shown_rate

    board = result.target.board
    usages = [usage for point in result.points for usage in point.usages]
    names = {"lut": "LUT", "ff": "FF", "bram18": "BRAM18", "uram": "URAM", "dsp": "DSP"}
    taken = [
        key for key in names if key != "ff" and any(u.needed for u in usages if u.resource == key)
    ]
    needed = [{usage.resource: usage.needed for usage in point.usages} for point in result.points]
    _show(
        (
            *map(Column, ("images/s", "cycles", *(names[key] for key in taken))),
            Column("largest", Kind.TEXT),
            Column("fits", Kind.TEXT),
            Column("slowest", Kind.NAME),
        ),
        (
            (
                shown_rate(point.fps),
                f"{point.cycles:,}",
                *(f"{counts[key]:,}" for key in taken),
                f"{float(point.scarcest.share):.0%} {names[point.scarcest.resource]}",
                "yes" if point.fits else "no",
                point.bottleneck,
            )
            for point, counts in zip(result.points, needed, strict=True)
        ),
    )
    _say("on", f"{board.name} ({board.part}) at {result.target.clock_mhz:g} MHz")
    of = f"all that the board has, and {100 * result.utilization:.3g}% of its LUT"
    if result.fastest is None:
        _say("fits", f"none of these within {of}")
    else:
        fastest = result.fastest.fps
        _say("fits", f"up to {shown_rate(fastest)} images/s within {of}")
        _say(
            "build one", f"lutloom compile ... --target-fps {below(fastest)}, or another rate above"
        )
    for path in result.files:
        _say("written", str(path))
    if result.points[0].path is not None:
        _say("plans", f"{result.points[0].path.parent}: compile with one of them, by --plan")


def show_throughput(result: Throughput) -> None:
    """Print what each process does in the cycles of an image, and how many images that makes."""
    _show(
        (
            Column("process", Kind.NAME),
            *map(Column, ("cycles", "awaits input", "awaits output")),
        ),
        (
            (
                load.name,
                f"{load.busy:,}",
                f"{load.waits_for_input:,}",
                f"{load.waits_for_output:,}",
            )
            for load in result.ideal.loads
        ),
    )
    for what, cycles in (("ideal", result.ideal), ("pessimistic", result.pessimistic)):
        rate = f"{result.rate(cycles):,.1f} images/s at {result.clock_mhz:g} MHz"
        latency = f"latency {result.latency(cycles):,.3f} ms"
        _say(what, f"{rate}, {cycles.interval:,} cycles each, {latency}")
    _say("slowest", _shown(result.ideal.bottleneck.name))
    _say_fifos(result.fifos)
    if result.least is not None:
        before = sum(fifo.planned for fifo in result.least.fifos)
        after = sum(fifo.depth for fifo in result.least.fifos)
        _say("least FIFOs", f"{after:,} words instead of {before:,}, the same rate")
        _say("plan", f"{result.plan}: compile the model again with it, by --plan")


def _say_fifos(rows: Sequence[FifoRow]) -> None:
    held = sum(row.total_bits for row in rows) / 1024
    naive = sum(row.naive_bits for row in rows) / 1024
    _say("FIFOs", f"{len(rows)} of {held:,.1f} Kbit; with whole tensors {naive:,.1f} Kbit")


def show_simulation(result: Simulation) -> None:
    """Print how fast it was and how good, and what is not as it should be."""
    from lutloom.confusion_table import confused_classes

    images = result.images
    rate = images / result.seconds if result.seconds else 0.0
    _console.print(f"{images:,} images in {result.seconds:.2f} s ({rate:,.0f} a second)")
    if result.scores is not None and result.accuracy is not None:
        _console.print(f"{result.correct:,} of {images:,} labels met ({result.accuracy:.2%})")
        if result.classes > _FEW_CLASSES:
            within = result.scores.within(5)
            _console.print(f"{within:,} among the five largest outputs ({within / images:.2%})")
        confused = confused_classes(result, _console.width)
        if confused is not None:
            _console.print(confused)
    if result.difference is not None:
        _console.print(f"[bold red]{_plain(str(result.difference))}[/]", soft_wrap=True)
    if not result.is_good_enough:
        least = result.min_accuracy or 0.0
        _console.print(f"[bold red]The accuracy should be at least {least:.2%}.[/]")


def show_verification(result: Verification) -> None:
    """Print what was compared, where the report is, and the first comparison that failed."""
    _show_checks(result)
    if result.page is not None:
        _say("report", str(result.page))
    _show_verdict(result)


def _show_checks(result: Verification) -> None:
    """Print a row for each value, a column for each stage, and what is to be said of them."""
    from lutloom.verification import TITLES, meaning_of, stages_of, table_of

    stages, rows = table_of(result)
    columns = (Column(TITLES[stage], Kind.TEXT) for stage in stages)
    _show(
        (Column("value", Kind.NAME), Column("numbers"), *columns),
        ((row.subject, f"{row.numbers:,}", *map(_verdict, row.checks)) for row in rows),
    )
    for stage in stages_of(result):
        _say(TITLES[stage], meaning_of(stage, result))
    _show_layers(result.layers)
    for check in result.checks:
        if check.remark:
            stage_title = TITLES.get(check.stage, check.stage.value)
            _say(f"{_shown(check.subject)} ({stage_title})", check.remark)


def _show_verdict(result: Verification) -> None:
    from lutloom.verification import left_out

    if said := left_out(result):
        _console.print(said)
    failure = result.first_failure
    if failure is None:
        _console.print(f"[bold green]All stages agree on {result.samples:,} images.[/]")
    else:
        wrong = failure.unexplained
        _console.print(
            f"[bold red]{_name(failure.subject)}: {failure.stage.value} differ in {wrong:,} of"
            f" {failure.elements:,}.[/]",
            soft_wrap=True,
        )


def _show_layers(layers: Sequence[LayerComparison]) -> None:
    """Print how the quantizers compare with the float executor, if any of them differs."""
    if not any(layer.differing for layer in layers):
        return
    numbers = ("equal", "explained", "at ties", "unexplained", "bound", "nearest")
    _show(
        (Column("quantizer", Kind.NAME), *map(Column, numbers)),
        (
            (
                layer.value,
                f"{layer.elements - layer.differing:,}",
                f"{layer.explained:,}",
                f"{layer.structural:,}",
                f"{layer.unexplained:,}",
                "none" if layer.median_bound is None else f"{layer.median_bound:.2g}",
                f"{layer.largest_ratio:.2f}" if layer.explained else "",
            )
            for layer in layers
        ),
    )
    elements = sum(layer.elements for layer in layers)
    explained = sum(layer.explained for layer in layers)
    _say(
        "explained",
        f"{explained:,} of {elements:,} ({explained / elements:.4%}) lie within the float32 error"
        " bound (its median above, in steps) of the executor's level, the nearest at that share"
        " of it",
    )


def _verdict(check: Check | None) -> Text:
    if check is None:
        return Text()
    colour = "green" if check.differing == 0 else "yellow" if check.passed else "bold red"
    return Text(check.verdict, colour)


def show_demo(result: Demonstration) -> None:
    """Print what the demonstration gave."""
    show_training(result.trained)
    show_simulation(result.simulation)
    _show_checks(result.verification)
    _show_verdict(result.verification)
    _say("HLS project", str(result.build.directory / "hls"))
    _say("report", str(result.build.directory / "report.html"))
    _say("what to do next", str(result.build.directory / "NEXT_STEPS.md"))


def show_boards(boards: Sequence[Board]) -> None:
    """Print the boards and their resources, the full tier first, the smaller before the larger."""
    _show(
        (
            Column("board", Kind.TEXT),
            Column("part", Kind.TEXT),
            *map(Column, ("LUT", "BRAM18", "URAM", "DSP")),
            Column("tier", Kind.TEXT),
            Column("Vivado", Kind.TEXT),
        ),
        (
            (
                board.name,
                board.part,
                f"{board.device.lut:,}",
                str(board.device.bram18),
                str(board.device.uram),
                str(board.device.dsp),
                board.tier.value,
                _edition(board.silicon),
            )
            for board in sorted(boards, key=lambda b: (b.tier.value, b.device.lut, b.name))
        ),
    )
    _console.print(
        "full: a block design and a driver are to come with a later version; ip: an IP for the "
        "part. Today both are given an HLS project.\n"
        "paid: the part needs Vivado's Enterprise edition; with ? where that is unchecked.\n"
        "There are two flip-flops for each LUT. All of one board: lutloom boards NAME",
        style="dim",
    )


def _edition(silicon: Silicon) -> str:
    edition = "free" if silicon.licence.value == "standard" else "paid"
    return edition + "?" * ("licence" in silicon.unchecked)


def show_board(board: Board) -> None:
    """Print all that is known of a board, or of a part alone, and where it is from."""
    device, silicon = board.device, board.silicon
    _say(board.name, board.title)
    contents = "with initial contents" if device.uram_has_contents else "without initial contents"
    _say("part", f"{board.part} ({device.family.value}), {device.slrs} SLR")
    _say(
        "holds",
        f"{device.lut:,} LUT, {device.ff:,} FF, {device.bram18:,} BRAM18, "
        f"{device.uram:,} URAM{f' ({contents})' * (device.uram > 0)}, "
        f"{device.dsp:,} DSP ({device.dsp_type.value})",
    )
    _say("clock", f"{board.clock_mhz} MHz, at most {board.highest_clock_mhz} MHz makes sense")
    for ports in board.memory_ports:
        names = ports.names[0] if ports.count == 1 else f"{ports.names[0]} to {ports.names[-1]}"
        _say(f"ports to {ports.kind}", f"{names}, {ports.width} bits each")
    _say("tier", f"{board.tier.value} (shell: {board.shell.value})")
    _say("Vivado", f"{silicon.licence.value} edition, {_window(silicon)}")
    if board.board_part:
        _say("board files", f"{board.board_part}, from {board.board_files}")
    if board.platform:
        last = f", up to Vitis {board.last_vitis}" * bool(board.last_vitis)
        _say("platform", f"{board.platform}, from {board.platform_files}{last}")
    for source in (*silicon.sources, *board.sources):
        _say("source", source)
    if unchecked := (*silicon.unchecked, *board.unchecked):
        _say("not checked against a source", ", ".join(unchecked))


def _window(silicon: Silicon) -> str:
    first = f"from {silicon.first_vivado} on" if silicon.first_vivado else "2020.1 or later"
    return f"{first}{f' up to {silicon.last_vivado}' * bool(silicon.last_vivado)}"


def _show(columns: Sequence[Column], rows: Iterable[Row]) -> None:
    """Print a table, and which of its columns found no room."""
    laid = laid_out(columns, rows, _console.width)
    _console.print(laid.table, crop=False)
    if laid.left_out:
        needed = f"{laid.whole_width} columns, or COLUMNS={laid.whole_width}, would show them"
        _say("left out", f"{', '.join(laid.left_out)}: {needed}")


def _say(what: str, text: str) -> None:
    _console.print(f"{escape(what)}: {_plain(text)}", soft_wrap=True)


def _name(name: str) -> str:
    """Return the model's name of something as it can stand in a table."""
    return escape(_shown(name))


def _shown(name: str) -> str:
    readable = _printable(name)
    return readable if len(readable) <= _LONGEST_NAME else readable[: _LONGEST_NAME - 3] + "..."


def _plain(text: str) -> str:
    return escape(_printable(text))


def _printable(text: str) -> str:
    """Return ``text`` without what moves the cursor or changes the terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _size(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "1"


def _ports(ports: Sequence[InputPort] | Sequence[OutputPort]) -> str:
    """Return the shapes of the model's inputs or outputs, of several with their names."""
    return ", ".join(
        f"{f'{port.name} ' if len(ports) > 1 else ''}[{', '.join(['N', *map(str, port.shape)])}]"
        for port in ports
    )
