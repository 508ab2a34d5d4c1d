"""Every ``#pragma HLS`` of generated text held against the grammar and against the text itself.

No compiler but the vendor's reads these pragmas, and even that one passes over some that it does
not know. So each is checked here: its name, options and values, the block that it stands in, and
that the variable it names is declared there and is what the pragma wants.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lutloom.codegen.cpp_names import Function, Names, Sort, Variable, collect, declared
from lutloom.codegen.cpp_scopes import Block, Pragma, Scope, Statement, UnbalancedError, parse
from lutloom.codegen.cpp_tokens import Kind, Token
from lutloom.codegen.dataflow_check import structural_faults
from lutloom.codegen.pragma_rules import Integer, Place, Subject
from lutloom.codegen.pragma_text import Directive, read_directive
from lutloom.core.counts import counted

_SUFFIXES = (".hpp", ".h", ".cpp")


@dataclass(frozen=True, order=True)
class PragmaProblem:
    """Something wrong with generated text, at a line of a file."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


def check_pragmas(text: str, *, file: str) -> list[PragmaProblem]:
    """Return what is wrong with the pragmas and the structure of ``text``, by line.

    Names are looked up in ``text`` alone; a called function whose body is elsewhere is taken to
    read and write its streams in the order that they are connected in.
    """
    return _check({file: text}, whole=False)


def check_project(directory: Path) -> list[PragmaProblem]:
    """Return what is wrong with the synthesised sources of a generated project, by file and line.

    ``directory`` is the project, or its folder ``hls``; what lies in ``include`` and ``src`` is
    read as one text: a function that is called nowhere defined is a problem, and so is a project
    without a source file or without a top function.
    """
    root = directory / "hls" if (directory / "hls").is_dir() else directory
    texts = {
        path.relative_to(directory).as_posix(): path.read_text(encoding="utf-8")
        for folder in ("include", "src")
        for path in sorted((root / folder).rglob("*"))
        if path.suffix in _SUFFIXES
    }
    return _check(texts, whole=True)


def _check(texts: Mapping[str, str], *, whole: bool) -> list[PragmaProblem]:
    problems: list[PragmaProblem] = []
    parsed: dict[str, tuple[Block, tuple[str, ...]]] = {}
    for file, text in texts.items():
        try:
            parsed[file] = parse(text)
        except UnbalancedError as error:
            problems.append(PragmaProblem(file, error.line, str(error)))
    names = collect(parsed)
    if whole and not problems and not any(f.name in names.external for f in names.functions):
        problems.append(PragmaProblem(".", 0, 'no source file has a top function (extern "C")'))
    for file, (block, _) in parsed.items():
        checker = _Checker(names, whole)
        checker.outside(block)
        for function in names.functions:
            if function.file == file:
                checker.function(function)
        problems += [PragmaProblem(file, line, message) for line, message in checker.found]
    return sorted(set(problems))


@dataclass
class _Checker:
    names: Names
    whole: bool
    found: list[tuple[int, str]] = field(default_factory=list)

    def outside(self, block: Block) -> None:
        """Check the pragmas that stand in no function: none of them may be an HLS pragma."""
        for item in block.items:
            if isinstance(item, Pragma):
                directive, faults = read_directive(item.text)
                self.add(item.line, faults)
                if directive is not None:
                    self.add(item.line, [f"{_title(directive)} stands outside of a function"])
            elif isinstance(item, Block) and item.scope is not Scope.FUNCTION:
                self.outside(item)

    def function(self, function: Function) -> None:
        """Check the pragmas and the structure of one function."""
        walk = _Walk(self, function, function.name in self.names.external)
        members = self.names.members.get(function.path[-1], {}) if function.path else {}
        parameters = {parameter.name: parameter for parameter in function.parameters}
        visible = {**self.names.variables, **members, **parameters}
        constants = frozenset(self.names.constants) | function.constants
        walk.block(function.block, visible, constants)
        walk.finish()
        self.found += structural_faults(function, self.names, whole=self.whole)

    def add(self, line: int, messages: Sequence[str] | Iterator[str]) -> None:
        self.found.extend((line, message) for message in messages)


def _title(directive: Directive) -> str:
    return f"pragma {directive.name.upper()}"


@dataclass
class _Walk:
    """One function: which pragmas were seen on what, so that what is doubled or missing shows."""

    checker: _Checker
    function: Function
    is_top: bool
    seen: set[tuple[object, ...]] = field(default_factory=set)
    ports: dict[str, str] = field(default_factory=dict)
    in_registers: set[str] = field(default_factory=set)
    in_memory: dict[str, int] = field(default_factory=dict)
    resets: set[str] = field(default_factory=set)
    statics: dict[str, Variable] = field(default_factory=dict)

    def block(self, block: Block, outer: Mapping[str, Variable], constants: frozenset[str]) -> None:
        """Check the pragmas of ``block``, each seeing what is declared before it."""
        visible = dict(outer)
        self.declare(_loop_variables(block.head), visible)
        started = False
        for item in block.items:
            match item:
                case Statement(tokens):
                    started = True
                    self.declare(tokens, visible)
                    constants |= _constants(tokens)
                case Block():
                    started = True
                    self.block(item, visible, constants)
                case Pragma():
                    self.pragma(item, block, visible, constants, started=started)

    def declare(self, tokens: Sequence[Token], visible: dict[str, Variable]) -> None:
        for variable in declared(tokens, self.checker.names.stream_types, self.function.opaque):
            visible[variable.name] = variable
            if variable.is_static and not variable.is_const:
                self.statics[variable.name] = variable

    def pragma(
        self,
        pragma: Pragma,
        block: Block,
        visible: Mapping[str, Variable],
        constants: frozenset[str],
        *,
        started: bool,
    ) -> None:
        directive, faults = read_directive(pragma.text)
        self.checker.add(pragma.line, faults)
        if directive is None:
            return
        messages = [
            *_placed(directive, pragma, block, self, started=started),
            *_named(directive, visible, self),
            *_values(directive, constants),
            *self.doubled(directive, block),
        ]
        title = _title(directive)
        self.checker.add(pragma.line, [f"{title}: {message}" for message in messages])
        self.remember(directive, pragma, visible)

    def doubled(self, directive: Directive, block: Block) -> Iterator[str]:
        variable = directive.text("variable") or directive.text("port")
        key: tuple[object, ...] = (directive.name, variable or id(block), directive.text("dim"))
        if directive.name in ("dependence", "allocation"):
            key = (*key, *sorted((name, directive.text(name)) for name in directive.options))
        if key in self.seen:
            yield f"there are two on {variable}" if variable else "there are two in this block"
        self.seen.add(key)

    def remember(
        self, directive: Directive, pragma: Pragma, visible: Mapping[str, Variable]
    ) -> None:
        variable = directive.text("variable")
        match directive.name:
            case "interface":
                self.ports[directive.text("port")] = directive.word("mode")
            case "array_partition" if (directive.word("type") or "complete") == "complete":
                whole = directive.text("dim") == "0"
                flat = variable in visible and visible[variable].dimensions == 1
                if whole or flat:
                    self.in_registers.add(variable)
            case "bind_storage":
                self.in_memory[variable] = pragma.line
            case "reset" if "off" not in directive.flags:
                self.resets.add(variable)
            case _:
                pass

    def finish(self) -> None:
        """Check what can only be said when the whole function has been read."""
        for name, line in self.in_memory.items():
            if name in self.in_registers:
                message = f"pragma BIND_STORAGE: {name} is completely partitioned into registers"
                self.checker.add(line, [message])
        for name, variable in self.statics.items():
            scalar = variable.sort is not Sort.ARRAY
            if scalar and variable.sort is not Sort.STREAM and name not in self.resets:
                self.checker.add(
                    variable.line, [f"static {name} keeps its value over a reset: add a RESET"]
                )
            if variable.sort is Sort.ARRAY and name in self.resets:
                self.checker.add(
                    variable.line, [f"static array {name} is reset: a memory cannot be, at once"]
                )
        if self.is_top:
            self.checker.add(self.function.block.line, self.interface_faults())

    def interface_faults(self) -> Iterator[str]:
        control = self.ports.get("return")
        if control is None:
            yield f"top function {self.function.name} has no INTERFACE for port=return"
        for parameter in self.function.parameters:
            mode = self.ports.get(parameter.name)
            if mode is None:
                yield (
                    f"port {parameter.name} of the top function {self.function.name} "
                    "has no INTERFACE"
                )
            elif control == "ap_ctrl_none" and mode != "axis":
                yield f"port {parameter.name} is {mode}: ap_ctrl_none allows axis only"


def _loop_variables(head: Sequence[Token]) -> Sequence[Token]:
    """Return the first clause of the last ``for`` in ``head``."""
    starts = [index for index, token in enumerate(head) if token.text == "for"]
    if not starts:
        return ()
    clause: list[Token] = []
    for token in head[starts[-1] + 2 :]:
        if token.text in (";", ":"):
            break
        clause.append(token)
    return clause


def _constants(tokens: Sequence[Token]) -> frozenset[str]:
    """Return the name that a statement gives to a constant, if it is one."""
    texts = [token.text for token in tokens]
    if "=" not in texts or not {"const", "constexpr"} & set(texts[: texts.index("=")]):
        return frozenset()
    name = texts[texts.index("=") - 1]
    # A const that is computed from run-time values is no constant: constexpr says that it is.
    return frozenset({name}) if "constexpr" in texts or "static" in texts else frozenset()


def _placed(
    directive: Directive, pragma: Pragma, block: Block, walk: _Walk, *, started: bool
) -> Iterator[str]:
    place = directive.rule.place
    legal = {
        Place.LOOP: block.scope is Scope.LOOP,
        Place.LOOP_OR_FUNCTION: block.scope in (Scope.LOOP, Scope.FUNCTION),
        Place.FUNCTION: block.scope is Scope.FUNCTION,
        Place.FUNCTION_START: block.scope is Scope.FUNCTION and not started,
        Place.TOP: block.scope is Scope.FUNCTION and walk.is_top,
        Place.BODY: True,
    }[place]
    if not legal:
        yield f"it should stand {place.value}"
    if pragma.within:
        yield "it stands in the midst of a statement"
    if not pragma.synthesised:
        yield "it stands in text that synthesis leaves out"
    streams = any(parameter.sort is Sort.STREAM for parameter in walk.function.parameters)
    if directive.name == "pipeline" and streams and "off" not in directive.flags:
        if "rewind" in directive.flags:
            yield "rewind withholds the last results of a process that has streams"
        elif directive.word("style") != "flp":
            yield "a process that has streams wants style=flp: the default differs by version"
    if directive.name == "inline" and "off" not in directive.flags:
        key = ("dataflow", id(walk.function.block), "")
        if key in walk.seen:
            yield "a function with DATAFLOW cannot be inlined"


def _named(directive: Directive, visible: Mapping[str, Variable], walk: _Walk) -> Iterator[str]:
    option = "port" if directive.name == "interface" else "variable"
    written = directive.text(option)
    if not written or (option == "port" and written == "return"):
        return
    variable, fault = _find(written, visible, walk)
    if fault:
        yield fault
    if variable is None:
        return
    parameters = {parameter.name for parameter in walk.function.parameters}
    subject = directive.rule.subject
    sort = variable.sort
    legal = {
        Subject.ARRAY: sort in (Sort.ARRAY, Sort.OPAQUE),
        Subject.STREAM: sort in (Sort.STREAM, Sort.OPAQUE),
        Subject.STORAGE: sort in (Sort.ARRAY, Sort.STREAM, Sort.OPAQUE),
        Subject.VALUE: sort is not Sort.STREAM,
        Subject.STATIC: variable.is_static and not variable.is_const,
        Subject.PARAMETER: written in parameters,
        Subject.ANY: True,
    }[subject]
    if not legal:
        yield f"{written} should be {subject.value}, not {_described(variable)}"
        return
    yield from _fitting(directive, variable, written, walk)


def _find(
    written: str, visible: Mapping[str, Variable], walk: _Walk
) -> tuple[Variable | None, str]:
    base, *members = written.split(".")
    if base not in visible:
        return None, f"{base} is not declared before it in {walk.function.name}"
    variable = visible[base]
    for member in members:
        known = walk.checker.names.members.get(variable.type_name)
        if known is None:
            return None, ""
        if member not in known:
            return None, f"{variable.type_name} has no member {member}"
        variable = known[member]
    return variable, ""


def _described(variable: Variable) -> str:
    match variable.sort:
        case Sort.ARRAY:
            return f"an array of {counted(variable.dimensions, 'dimension')}"
        case Sort.STREAM:
            return "a stream"
        case _:
            return f"a {variable.type_name}"


def _fitting(directive: Directive, variable: Variable, written: str, walk: _Walk) -> Iterator[str]:
    stream = variable.sort is Sort.STREAM
    match directive.name:
        case "array_partition" | "array_reshape":
            dimension = directive.number("dim")
            known = variable.sort is Sort.ARRAY
            if known and dimension is not None and dimension > variable.dimensions:
                yield f"dim={dimension}, but {written} is {_described(variable)}"
        case "bind_storage":
            yield from _stored(directive, variable, written)
            if walk.is_top and any(p.name == written for p in walk.function.parameters):
                yield f"{written} is a port: its INTERFACE says how it is stored"
        case "stream" if directive.word("type") not in ("", "fifo"):
            yield f"type={directive.word('type')} is for arrays, but {written} is a stream"
        case "interface" if stream and directive.word("mode") not in ("axis", "ap_fifo"):
            yield f"{written} is a stream: use mode axis"
        case "interface" if not stream and directive.word("mode") == "axis":
            yield f"{written} is no stream: axis wants one"
        case _:
            pass


def _stored(directive: Directive, variable: Variable, written: str) -> Iterator[str]:
    kind = directive.word("type")
    if (kind == "fifo") != (variable.sort is Sort.STREAM):
        yield f"type={kind} does not go with {written}, {_described(variable)}"
    elif variable.sort is Sort.ARRAY and kind.startswith("rom") != variable.is_const:
        needs = "a constant" if kind.startswith("rom") else "a memory that can be written"
        yield f"type={kind} wants {needs}, but {written} is none"


def _values(directive: Directive, constants: frozenset[str]) -> Iterator[str]:
    for name, value in directive.options.items():
        option = directive.rule.options.get(name)
        if not isinstance(option, Integer):
            continue
        for index, token in enumerate(value):
            qualified = any(other.text == "::" for other in value[max(0, index - 1) : index + 2])
            if token.kind is Kind.NAME and token.text not in constants and not qualified:
                yield f"{name} names {token.text}, which is no constant here"
