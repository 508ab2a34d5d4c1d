r"""Graphs as text, and back.

    lutloom-graph 1
    input x: int<-1..1 by 2>[784]
    fc0 = linear[weights=int8[784,64]#0f3a...](x): int<-784..784 by 2>[64]
    left, right = duplicate[copies=2](fc0): int<-784..784 by 2>[64], int<-784..784 by 2>[64]
    return left, right

One line an equation; parameters at their default are left out. A name that is not made of letters,
digits and ``_ . / -``, or that begins like a keyword, stands as a JSON string. Constants stand for
themselves by type, shape and digest. The types behind the colon are derived: they are there for the
reader, and a check when the text is parsed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from hashlib import blake2b
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from lutloom.core.errors import GraphError, GraphFileError
from lutloom.core.graph import Graph, Node
from lutloom.core.ops import OPERATORS
from lutloom.core.types import Const, IntType, TensorType

if TYPE_CHECKING:
    from lutloom.core.op import Op

_T = TypeVar("_T")

FORMAT = 1
_HEADER = f"lutloom-graph {FORMAT}"

Parameter: TypeAlias = int | bool | tuple[int, ...] | Const
"""What a field of an operator may hold."""

_KINDS: Mapping[str, tuple[type, str]] = {
    "int": (int, "an integer"),
    "bool": (bool, "true or false"),
    "tuple[int, ...]": (tuple, "integers in parentheses"),
    "Const": (Const, "a constant"),
}


def print_graph(graph: Graph) -> str:
    """Return the text of ``graph``: equal graphs print equally."""
    lines = [_HEADER]
    lines += [f"input {_name(name)}: {type_}" for name, type_ in graph.inputs.items()]
    for node in graph.nodes:
        types = ", ".join(str(graph.types[name]) for name in node.results)
        lines.append(f"{print_node(node)}: {types}")
    lines.append(f"return {_names(graph.outputs)}".rstrip())
    return "\n".join(lines) + "\n"


def print_node(node: Node) -> str:
    """Return the equation of ``node``, parameters included."""
    parameters = ", ".join(f"{key}={_print(value)}" for key, value in parameters_of(node.op))
    return f"{_names(node.results)} = {node.op.name}[{parameters}]({_names(node.inputs)})"


def parameters_of(op: Op) -> Iterator[tuple[str, Parameter]]:
    """Yield the parameters of ``op`` that are not at their default, in the order of its fields."""
    for field in fields(op):  # type: ignore[arg-type]
        value: Parameter = getattr(op, field.name)
        if value != field.default:
            yield field.name, value


def constants_of(graph: Graph) -> dict[str, Const]:
    """Return the constants of ``graph`` by digest."""
    return {
        value.digest: value
        for node in graph.nodes
        for _, value in parameters_of(node.op)
        if isinstance(value, Const)
    }


def graph_digest(graph: Graph) -> str:
    """Return the digest of ``graph``, constants included, in hexadecimal."""
    return blake2b(print_graph(graph).encode(), digest_size=10).hexdigest()


def parse_graph(text: str, constants: Mapping[str, Const]) -> Graph:
    """Return the graph that prints as ``text``, its constants taken from ``constants`` by digest.

    Raises ``GraphFileError``, naming the line, for what ``print_graph`` can't have written.
    """
    lines = text.splitlines()
    if not lines or lines[0] != _HEADER:
        found = lines[0][:40] if lines else "nothing"
        raise GraphFileError(f"a graph should begin with '{_HEADER}', not '{found}'")
    inputs: dict[str, TensorType] = {}
    nodes: list[Node] = []
    claimed: dict[str, TensorType] = {}
    outputs: tuple[str, ...] | None = None
    for number, line in enumerate(lines[1:], start=2):
        tokens = _Tokens(line, number)
        if outputs is not None:
            raise tokens.error("nothing may follow 'return'")
        if tokens.accept("input "):
            name = tokens.name()
            tokens.expect(":")
            inputs[name] = _parse_type(tokens)
        elif tokens.accept("return"):
            outputs = _sequence(tokens, _Tokens.name) if not tokens.at_end() else ()
        else:
            node, types = _parse_equation(tokens, constants)
            nodes.append(node)
            claimed.update(zip(node.results, types, strict=True))
        tokens.end()
    if outputs is None:
        raise GraphFileError("the graph ends without 'return': the file is cut off")
    try:
        graph = Graph(inputs, tuple(nodes), outputs)
    except GraphError as error:
        raise GraphFileError(f"the graph contradicts itself: {error}") from error
    for name, type_ in claimed.items():
        if graph.types[name] != type_:
            raise GraphFileError(f"{name} is said to be {type_}, but it is {graph.types[name]}")
    return graph


# What a line may begin with, besides a name: names that begin so are quoted.
_KEYWORDS = ("input", "return")
_BARE = re.compile(r"[A-Za-z0-9_./-]+")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_INTEGER = re.compile(r"-?[0-9]{1,20}(?![0-9])")
_CONST = re.compile(r"(u?int(?:8|16|32|64))\[([0-9,]*)\]#([0-9a-f]{20})")


@dataclass
class _Tokens:
    """A line, and how far it was read; blanks between tokens do not matter."""

    line: str
    number: int
    position: int = 0

    def error(self, problem: str) -> GraphFileError:
        where = f"line {self.number}, column {self.position + 1}"
        return GraphFileError(f"{where} of the graph: {problem}")

    def accept(self, literal: str) -> bool:
        self._skip()
        if not self.line.startswith(literal, self.position):
            return False
        self.position += len(literal)
        return True

    def expect(self, literal: str) -> None:
        if not self.accept(literal):
            raise self.error(f"expected '{literal}'")

    def match(self, pattern: re.Pattern[str], what: str) -> re.Match[str]:
        self._skip()
        found = pattern.match(self.line, self.position)
        if found is None:
            raise self.error(f"expected {what}")
        self.position = found.end()
        return found

    def name(self) -> str:
        self._skip()
        if not self.line.startswith('"', self.position):
            return self.match(_BARE, "a name").group()
        quoted = self.match(_QUOTED, "a quoted name").group()
        try:
            return str(json.loads(quoted))
        except json.JSONDecodeError as error:
            raise self.error(f"{quoted} is no JSON string") from error

    def integer(self) -> int:
        return int(self.match(_INTEGER, "an integer").group())

    def at_end(self) -> bool:
        self._skip()
        return self.position == len(self.line)

    def end(self) -> None:
        if not self.at_end():
            raise self.error("expected the end of the line")

    def _skip(self) -> None:
        while self.line.startswith(" ", self.position):
            self.position += 1


def _name(name: str) -> str:
    is_bare = _BARE.fullmatch(name) and not name.startswith(_KEYWORDS)
    return name if is_bare else json.dumps(name)


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(map(_name, names))


def _print(value: Parameter) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | Const():
            return str(value)
        case tuple():
            return f"({', '.join(map(str, value))})"


def _sequence(tokens: _Tokens, item: Callable[[_Tokens], _T]) -> tuple[_T, ...]:
    items = [item(tokens)]
    while tokens.accept(","):
        items.append(item(tokens))
    return tuple(items)


def _parse_type(tokens: _Tokens) -> TensorType:
    tokens.expect("int<")
    lo = tokens.integer()
    tokens.expect("..")
    hi = tokens.integer()
    step = tokens.integer() if tokens.accept("by ") else 1
    tokens.expect(">[")
    shape: tuple[int, ...] = ()
    if not tokens.accept("]"):
        shape = _sequence(tokens, _Tokens.integer)
        tokens.expect("]")
    try:
        return TensorType(IntType(lo, hi, step), shape)
    except ValueError as error:
        raise tokens.error(str(error)) from error


def _parse_equation(
    tokens: _Tokens, constants: Mapping[str, Const]
) -> tuple[Node, tuple[TensorType, ...]]:
    results = _sequence(tokens, _Tokens.name)
    tokens.expect("=")
    operator = tokens.name()
    if operator not in OPERATORS:
        raise tokens.error(f"there is no operator '{operator}': use one of {sorted(OPERATORS)}")
    tokens.expect("[")
    parameters: dict[str, Parameter] = {}
    while not tokens.accept("]"):
        key = tokens.name()
        tokens.expect("=")
        parameters[key] = _parse_parameter(tokens, constants)
        tokens.accept(",")
    tokens.expect("(")
    inputs: tuple[str, ...] = ()
    if not tokens.accept(")"):
        inputs = _sequence(tokens, _Tokens.name)
        tokens.expect(")")
    tokens.expect(":")
    types = _sequence(tokens, _parse_type)
    if len(types) != len(results):
        raise tokens.error(f"{len(results)} results, but {len(types)} types")
    for field in fields(OPERATORS[operator]):  # type: ignore[arg-type]
        value = parameters.get(field.name)
        kind, what = _KINDS[str(field.type)]
        if value is not None and type(value) is not kind:
            raise tokens.error(f"'{operator}' takes {what} for {field.name}, not {_print(value)}")
    try:
        op = OPERATORS[operator](**parameters)
    except (TypeError, AttributeError) as error:
        raise tokens.error(f"'{operator}' does not take these parameters: {error}") from error
    return Node(results, op, inputs), types


def _parse_parameter(tokens: _Tokens, constants: Mapping[str, Const]) -> Parameter:
    if tokens.accept("true"):
        return True
    if tokens.accept("false"):
        return False
    if tokens.accept("("):
        if tokens.accept(")"):
            return ()
        values = _sequence(tokens, _Tokens.integer)
        tokens.expect(")")
        return values
    if not (tokens.line.startswith(("int", "uint"), tokens.position)):
        return tokens.integer()
    written = tokens.match(_CONST, "a constant such as int8[2,3]#0f...")
    const = constants.get(written[3])
    if const is None or str(const) != written.group():
        raise tokens.error(f"the constant {written.group()} is missing")
    return const
