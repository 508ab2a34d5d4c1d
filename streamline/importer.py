"""Read a model once, node by node, each tensor becoming what it is exactly: the import.

This is one abstract interpretation of the ONNX graph. It yields the integer graph, what its
integers mean, and the programs of the host before and behind them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

from lutloom.core.errors import LutloomError
from lutloom.core.graph import Graph
from lutloom.core.host import Largest
from lutloom.core.meaning import ValueMeaning
from lutloom.core.network import Network
from lutloom.core.ports import InputPort, OutputPort
from lutloom.core.types import IntType, TensorType
from lutloom.streamline.align import varies_in_place
from lutloom.streamline.annotations import (
    annotated_input,
    check_constants,
    check_input_type,
    noted_input,
)
from lutloom.streamline.builder import GraphBuilder
from lutloom.streamline.context import Context, Entry
from lutloom.streamline.errors import ModelError, UnforeseenError, show
from lutloom.streamline.fold import constant_of, fold
from lutloom.streamline.host_steps import host_program
from lutloom.streamline.rule_table import RULES
from lutloom.streamline.rules.linear_quantizers import follow_integers
from lutloom.streamline.rules.quant import other_quantizer
from lutloom.streamline.signature import check_signature
from lutloom.streamline.source import STANDARD_DOMAINS, Port, Source, SourceNode
from lutloom.streamline.symbols import Constant, Curve, HostFloat, Indices, Scaled, ShapeOf, Symbol

if TYPE_CHECKING:
    from pathlib import Path

    from lutloom.core.host import HostProgram
    from lutloom.core.rational import Rationals
    from lutloom.streamline.context import Results


# Each node keeps the nodes since the last quantizer: their number is squared.
_LONGEST_TRAIL = 1000


@dataclass(frozen=True, slots=True)
class RawInput:
    """The model's input holds integers: ``real = scale * integer + bias``.

    ``scale`` and ``bias`` have one entry, or one a channel: the model's axis 1.
    """

    type: IntType
    scale: tuple[Fraction, ...] = (Fraction(1),)
    bias: tuple[Fraction, ...] = (Fraction(0),)


@dataclass(frozen=True, slots=True)
class FloatInput:
    """The model's input holds floats, whatever its file notes."""


InputForm: TypeAlias = RawInput | FloatInput
"""What somebody says that an input holds."""


def import_model(
    source: Source, raw_input: InputForm | Mapping[str, InputForm] | None = None
) -> Network:
    """Return the network that ``source`` describes, not yet simplified.

    ``raw_input`` says what the only input holds, or inputs by their names; without it, an annotated
    datatype of the input is honoured, and a note of our exporter, and else the host does what comes
    before the first quantizer.

    Raises ``ModelError`` for whatever can't be lowered: the node, the reason and the remedy.
    """
    given = _by_name(source, raw_input)
    _check_ports(source)
    shapes = {port.name: _without_batch(source, port) for port in source.inputs}
    for port in source.inputs:
        if port.dtype.kind != "f" and not isinstance(given.get(port.name), RawInput):
            raise ModelError(
                f"{source.path}: the input {show(port.name)} holds {port.dtype}, not floats; say"
                " what it stands for with --input-type and --input-scale"
            )
    users = Counter(name for node in source.nodes for name in node.inputs)
    users.update(port.name for port in source.outputs)
    context = Context(GraphBuilder(), _batch(source), source.opset, users)
    context.symbols.update({name: Constant(array) for name, array in source.constants.items()})
    check_constants(source)
    for port in source.inputs:
        annotated = _integers(source, port, given.get(port.name))
        context.symbols[port.name] = (
            HostFloat(port.name, shapes[port.name], (), None)
            if annotated is None
            else _raw(source, port, shapes[port.name], annotated, context)
        )
    raw = frozenset(context.entries)
    producers = {name: node for node in source.nodes for name in node.outputs}
    for node in _live(source):
        for name in node.inputs:
            if name and name not in context.symbols:
                raise ModelError(_further(f"{node} reads", name, producers[name]))
        _read(node, context)
    for port in source.outputs:
        if port.name not in context.symbols:
            raise ModelError(_further("the output is", port.name, producers[port.name]))
    return _finish(source, shapes, context, raw)


def _check_ports(source: Source) -> None:
    """Refuse a model without outputs, and inputs or outputs that have one name."""
    if not source.outputs:
        raise ModelError(f"{source.path} has no output: export the model with one")
    for kind, ports in (("input", source.inputs), ("output", source.outputs)):
        for name, count in Counter(port.name for port in ports).items():
            if count > 1:
                raise ModelError(f"{source.path} lists the {kind} {show(name)} twice: name it once")


def _by_name(
    source: Source, raw_input: InputForm | Mapping[str, InputForm] | None
) -> Mapping[str, InputForm]:
    """Return what is said of the inputs by their names."""
    names = [port.name for port in source.inputs]
    if not names:
        raise ModelError(f"{source.path} has no input: export the model with one")
    if raw_input is None:
        return {}
    shown = ", ".join(map(show, names))
    if isinstance(raw_input, InputForm):
        if len(names) > 1:
            raise ModelError(
                f"{source.path} has the inputs {shown}: say for which of them --input-type is meant"
                " (NAME=uint8)"
            )
        return {names[0]: raw_input}
    for name in raw_input:
        if name not in names:
            raise ModelError(
                f"{source.path} has no input {show(name)}, which --input-type names: its inputs are"
                f" {shown}"
            )
    return raw_input


def _batch(source: Source) -> int | None:
    """Return the batch size that the inputs fix; None where all leave it open."""
    sizes = {port.name: port.shape[0] for port in source.inputs if port.shape and port.shape[0]}
    if len(set(sizes.values())) > 1:
        raise ModelError(
            f"{source.path}: its inputs have batches of different sizes, {sizes}: the first"
            " dimension of each should be the batch; export the model so"
        )
    return next(iter(sizes.values()), None)


def _without_batch(source: Source, port: Port) -> tuple[int, ...]:
    if port.shape is None or len(port.shape) < 1:
        raise ModelError(
            f"{source.path}: the input {show(port.name)} has no shape: export it with one"
        )
    sizes = port.shape[1:]
    if any(size is None for size in sizes):
        raise ModelError(
            f"{source.path}: the input {show(port.name)} has an open size besides its batch;"
            " export the model for one size of image"
        )
    return tuple(size for size in sizes if size is not None)


def _live(source: Source) -> list[SourceNode]:
    """Return the nodes that the outputs depend on, in order."""
    wanted = {port.name for port in source.outputs}
    live = []
    for node in reversed(source.nodes):
        if any(name in wanted for name in node.outputs if name):
            live.append(node)
            wanted.update(node.inputs)
    return live[::-1]


def _integers(source: Source, port: Port, given: InputForm | None) -> RawInput | None:
    """Return what integers the input holds, as somebody says or the file; None for floats."""
    if given is None:
        annotated = annotated_input(source, port)
        if annotated is not None:
            return RawInput(annotated)
        noted = noted_input(source, port)
        return None if noted is None else RawInput(noted[0], (noted[1],))
    if isinstance(given, FloatInput):
        check_input_type(source, port, None)
        return None
    check_input_type(source, port, given.type, is_scaled=given != RawInput(given.type))
    return given


def _raw(
    source: Source, port: Port, shape: tuple[int, ...], raw: RawInput, context: Context
) -> Scaled:
    """Return the input as integers; channels that differ in scale are its last axis."""
    varies = len(raw.scale) > 1 or len(raw.bias) > 1
    axes = tuple(range(len(shape)))
    if varies:
        for entries in (raw.scale, raw.bias):
            if len(entries) not in (1, shape[0] if shape else 1):
                raise ModelError(
                    f"{source.path}: there are {len(entries)} input scales or biases, but the input"
                    f" {show(port.name)} has {shape[0] if shape else 1} channels"
                )
        axes = (*axes[1:], 0)
    if any(scale == 0 for scale in raw.scale):
        raise ModelError("--input-scale is zero: say what one step of the input stands for")
    value = context.build.add_input(
        port.name,
        TensorType(raw.type, tuple(shape[axis] for axis in axes)),
    )
    context.entries[port.name] = Entry(value, ())
    scale, bias = _last(raw.scale, len(shape)), _last(raw.bias, len(shape))
    context.build.meaning[value] = ValueMeaning(
        raw.scale, raw.bias, port.name, port.name, axes, is_quantized=True
    )
    return Scaled(value, axes, shape, scale, bias, root=value)


def _last(numbers: tuple[Fraction, ...], rank: int) -> Rationals:
    import numpy as np

    array = np.empty(len(numbers), dtype=object)
    array[:] = numbers
    return array.reshape((*[1] * (rank - 1), len(numbers)) if rank else ())


def _read(node: SourceNode, context: Context) -> None:
    """Interpret ``node``; what no rule foresaw names the node as well."""
    try:
        _interpret(node, context)
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        if isinstance(error, LutloomError):
            raise
        raise UnforeseenError(
            f"{node} can't be read ({type(error).__name__}: {error}): it is damaged, or this is an"
            " error of lutloom, which is worth a report with the model"
        ) from error


def _interpret(node: SourceNode, context: Context) -> None:
    inputs = [context.symbols[name] if name else None for name in node.inputs]
    rule = RULES.get((node.domain, node.op_type))
    given = [symbol for symbol in inputs if symbol is not None]
    is_constant = all(isinstance(symbol, Constant) for symbol in given)
    quantizes = node.domain not in STANDARD_DOMAINS
    if is_constant or rule is not None:
        check_signature(node, context.opset)
    found: Symbol | Results
    if node.op_type == "Constant" and node.domain in STANDARD_DOMAINS:
        found = constant_of(node)
    elif is_constant and not quantizes:
        constants = [symbol if isinstance(symbol, Constant) else None for symbol in inputs]
        found = fold(node, constants, context.opset)
    elif rule is None:
        raise ModelError(_unknown(node))
    else:
        if rule is not other_quantizer:  # which says that it is the format that is another
            follow_integers(node, context)
        found = rule(node, inputs, context)
    results = found if isinstance(found, tuple) else (found,)
    for name, symbol in zip(node.outputs, results, strict=False):
        if symbol is not None and name:
            context.symbols[name] = _kept(node, name, symbol, context)


def _kept(node: SourceNode, name: str, symbol: Symbol, context: Context) -> Symbol:
    """Return what the tensor ``name``, a result of ``node``, is from now on."""
    trail = getattr(symbol, "trail", ())
    if len(trail) > _LONGEST_TRAIL:
        raise ModelError(
            f"{node} is the last of {len(trail)} nodes in a row without a quantizer, more than any"
            " network needs: is the file damaged?"
        )
    return _remembered(node, name, symbol, context) if isinstance(symbol, Scaled) else symbol


def _further(reader: str, name: str, producer: SourceNode) -> str:
    return (
        f"{reader} {show(name)}, a further result of {producer}, which this version does not"
        " compute; leave it out"
    )


def _remembered(node: SourceNode, name: str, x: Scaled, context: Context) -> Scaled:
    """Let the trail begin at a value that a rule has just made: it holds this very tensor."""
    if x.root:
        return x
    if varies_in_place(x.slope, x.offset):
        # No meaning that the host could apply: it is for a quantizer to read.
        return replace(x, root=x.value)
    context.build.record(x, node, name, is_quantized=False)
    return replace(x, root=x.value)


def _unknown(node: SourceNode) -> str:
    domain = f"{node.domain}." if node.domain not in STANDARD_DOMAINS else ""
    known = sorted({name for (_, name), rule in RULES.items() if rule is not other_quantizer})
    return (
        f"{node}: this version has no hardware and no host part for {domain}{node.op_type};"
        f" it knows {', '.join(known)}"
    )


def _finish(
    source: Source,
    shapes: Mapping[str, tuple[int, ...]],
    context: Context,
    raw: frozenset[str],
) -> Network:
    """Return the network of what ``context`` holds; ``raw`` are the inputs that hold integers."""
    outputs = tuple(_output(source, port, context) for port in source.outputs)
    inputs = []
    for port in source.inputs:
        entry = context.entries.get(port.name)
        if entry is None:
            raise without_influence(source.path, port.name)
        inputs.append(
            InputPort(port.name, entry.value, shapes[port.name], entry.head, port.name in raw)
        )
    graph = context.build.graph(tuple(dict.fromkeys(port.value for port in outputs)))
    # As the model orders them, and not as quantizers were met.
    ordered = {port.value: graph.inputs[port.value] for port in inputs}
    return Network(
        graph=Graph(ordered, graph.nodes, graph.outputs),
        meaning=dict(context.build.meaning),
        inputs=tuple(inputs),
        outputs=outputs,
    )


def without_influence(path: Path, name: str) -> ModelError:
    """Return the refusal of an input of the model that no output depends on."""
    return ModelError(
        f"{path}: no output depends on the input {show(name)}: take it out of the model"
    )


def _output(source: Source, port: Port, context: Context) -> OutputPort:
    """Return how the host makes an output of the model of a value of the graph."""
    symbol = context.symbols[port.name]
    tail: HostProgram = ()
    match symbol:
        case (
            Scaled(root=value, shape=shape, trail=trail)
            | Curve(root=value, shape=shape, trail=trail)
        ):
            tail = host_program(trail, context)
        case Indices(value=value, shape=shape):
            _record_indices(port, value, context)
        case HostFloat(start=(Scaled(root=value) | Curve(root=value)), shape=shape, trail=trail):
            tail = host_program(trail, context)
        case HostFloat(start=str(name)):
            raise ModelError(
                f"{source.path}: no quantizer lies between the input {show(name)} and the output"
                f" {show(port.name)}; quantize the model (brevitas.nn) before it is compiled"
            )
        case Constant() | ShapeOf() | HostFloat():
            raise ModelError(f"{source.path}: the output {show(port.name)} is constant")
    # A pool or a sum that is still to be written is refused here, if it can't be.
    context.build.graph((value,))
    meaning = context.build.meaning.get(value)
    if meaning is None:
        raise ModelError(
            f"{source.path}: the output's scales and biases vary along several dimensions; put a"
            f" quantizer behind the last sum in front of {show(port.name)}"
        )
    if value in context.build.inputs:
        raise passed_through(source.path, port.name)
    is_integer = isinstance(symbol, Indices) or any(isinstance(step, Largest) for step in tail)
    return OutputPort(port.name, value, meaning, shape, tail, is_integer)


def passed_through(path: Path, name: str) -> ModelError:
    """Return the refusal of an output of the model that holds an input's integers."""
    return ModelError(
        f"{path}: no layer lies between the first quantizer and the output {show(name)}, so there"
        " is nothing to build for it; leave that output out, or add a layer"
    )


def _record_indices(port: Port, value: str, context: Context) -> None:
    """Remember that the numbers of ``value`` are what the model's output ``port`` holds."""
    rank = len(context.build.types[value].shape)
    context.build.meaning[value] = ValueMeaning(
        (Fraction(1),),
        (Fraction(0),),
        tensor=port.name,
        node=port.name,
        axes=tuple(range(rank)),
        is_quantized=False,
    )
