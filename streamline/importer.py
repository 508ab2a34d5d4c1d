"""Read a model once, node by node, each tensor becoming what it is exactly: the import.

This is one abstract interpretation of the ONNX graph. It yields the integer graph, what its
integers mean, and the programs of the host before and behind them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from lutloom.core.errors import LutloomError
from lutloom.core.host import Largest
from lutloom.core.meaning import ValueMeaning
from lutloom.core.network import Network
from lutloom.core.types import IntType, TensorType
from lutloom.streamline.align import varies_in_place
from lutloom.streamline.annotations import (
    annotated_input,
    check_constants,
    check_input_type,
)
from lutloom.streamline.builder import GraphBuilder
from lutloom.streamline.context import Context
from lutloom.streamline.errors import ModelError, UnforeseenError, show
from lutloom.streamline.fold import constant_of, fold
from lutloom.streamline.host_steps import host_program
from lutloom.streamline.rule_table import RULES
from lutloom.streamline.rules.quant import other_quantizer
from lutloom.streamline.signature import check_signature
from lutloom.streamline.source import STANDARD_DOMAINS, Port, Source, SourceNode
from lutloom.streamline.symbols import Constant, Curve, HostFloat, Indices, Scaled, ShapeOf, Symbol

if TYPE_CHECKING:
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


def import_model(source: Source, raw_input: RawInput | None = None) -> Network:
    """Return the network that ``source`` describes, not yet simplified.

    ``raw_input`` says what integers the input holds; without it, an annotated datatype of the
    input is honoured, and else the host does what comes before the first quantizer.

    Raises ``ModelError`` for whatever can't be lowered: the node, the reason and the remedy.
    """
    port = _only(source, source.inputs, "input")
    output = _only(source, source.outputs, "output")
    if port.shape is None or len(port.shape) < 1:
        raise ModelError(
            f"{source.path}: the input {show(port.name)} has no shape: export it with one"
        )
    if port.dtype.kind != "f" and raw_input is None:
        raise ModelError(
            f"{source.path}: the input {show(port.name)} holds {port.dtype}, not floats; say what"
            " it stands for with --input-type and --input-scale"
        )
    shape = _without_batch(source, port)
    users = Counter(name for node in source.nodes for name in node.inputs)
    users[output.name] += 1
    context = Context(GraphBuilder(), port.shape[0], source.opset, users)
    context.symbols.update({name: Constant(array) for name, array in source.constants.items()})
    check_constants(source)
    annotated = _integers(source, port, raw_input)
    context.symbols[port.name] = (
        HostFloat(None, shape, (), None)
        if annotated is None
        else _raw(source, port, shape, annotated, context)
    )
    producers = {name: node for node in source.nodes for name in node.outputs}
    for node in _live(source, output):
        for name in node.inputs:
            if name and name not in context.symbols:
                raise ModelError(_further(f"{node} reads", name, producers[name]))
        _read(node, context)
    if output.name not in context.symbols:
        raise ModelError(_further("the output is", output.name, producers[output.name]))
    return _finish(source, port, output, shape, context, is_raw=annotated is not None)


def _only(source: Source, ports: tuple[Port, ...], what: str) -> Port:
    if len(ports) != 1:
        names = ", ".join(show(port.name) for port in ports) or "none"
        raise ModelError(
            f"{source.path} has {len(ports)} {what}s ({names}), and this version takes models with"
            f" one; cut the model apart"
        )
    return ports[0]


def _without_batch(source: Source, port: Port) -> tuple[int, ...]:
    assert port.shape is not None
    sizes = port.shape[1:]
    if any(size is None for size in sizes):
        raise ModelError(
            f"{source.path}: the input {show(port.name)} has an open size besides its batch;"
            " export the model for one size of image"
        )
    return tuple(size for size in sizes if size is not None)


def _live(source: Source, output: Port) -> list[SourceNode]:
    """Return the nodes that the output depends on, in order."""
    wanted = {output.name}
    live = []
    for node in reversed(source.nodes):
        if any(name in wanted for name in node.outputs if name):
            live.append(node)
            wanted.update(node.inputs)
    return live[::-1]


def _integers(source: Source, port: Port, given: RawInput | None) -> RawInput | None:
    """Return what integers the input holds, as somebody says or the file; None for floats."""
    if given is None:
        annotated = annotated_input(source, port)
        return None if annotated is None else RawInput(annotated)
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
    port: Port,
    output: Port,
    input_shape: tuple[int, ...],
    context: Context,
    *,
    is_raw: bool,
) -> Network:
    symbol = context.symbols[output.name]
    tail: HostProgram = ()
    match symbol:
        case (
            Scaled(root=value, shape=shape, trail=trail)
            | Curve(root=value, shape=shape, trail=trail)
        ):
            tail = host_program(trail, context)
        case Indices(value=value, shape=shape):
            rank = len(context.build.types[value].shape)
            context.build.meaning[value] = ValueMeaning(
                (Fraction(1),),
                (Fraction(0),),
                tensor=output.name,
                node=output.name,
                axes=tuple(range(rank)),
                is_quantized=False,
            )
        case HostFloat(start=(Scaled(root=value) | Curve(root=value)), shape=shape, trail=trail):
            tail = host_program(trail, context)
        case HostFloat(start=None):
            raise ModelError(
                f"{source.path}: no quantizer lies between the input {show(port.name)} and the"
                " output; quantize the model (brevitas.nn) before it is compiled"
            )
        case Constant() | ShapeOf() | HostFloat():
            raise ModelError(f"{source.path}: the output {show(output.name)} is constant")
    graph = context.build.graph((value,))
    if value not in context.build.meaning:
        raise ModelError(
            f"{source.path}: the output's scales and biases vary along several dimensions; put a"
            " quantizer behind the last sum"
        )
    if value in graph.inputs:
        raise ModelError(
            f"{source.path}: no layer lies between the first quantizer and the output, so there is"
            " nothing to build"
        )
    return Network(
        graph=graph,
        meaning=dict(context.build.meaning),
        head=context.head or (),
        tail=tail,
        input_name=port.name,
        input_shape=input_shape,
        output_shape=shape,
        raw_input=is_raw,
        integer_output=isinstance(symbol, Indices)
        or any(isinstance(step, Largest) for step in tail),
    )
