"""What synthesis wants of the shape of a function, beside its pragmas.

A dataflow body is declarations of channels and calls, and each channel has one writer and one
reader, the writer first. A process is one flat pipelined loop: no division in it, no access to a
stream that does not block. Whoever drives an AXI stream sets TLAST, TKEEP and TSTRB together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lutloom.codegen.cpp_names import (
    Call,
    Function,
    Names,
    Sort,
    Variable,
    alias_of,
    call_of,
    declared,
    directions,
    tokens_of,
)
from lutloom.codegen.cpp_scopes import Block, Pragma, Scope, Statement, closing
from lutloom.codegen.cpp_tokens import Kind, Token
from lutloom.codegen.pragma_text import read_directive
from lutloom.core.counts import counted

Fault = tuple[int, str]

_WITHOUT_BLOCKING = frozenset("empty full size capacity read_nb write_nb".split())
_DIVISION = ("/", "%", "/=", "%=")
_BUILT_IN = frozenset("unsigned signed int long short char bool static_cast sizeof ap_uint".split())


def structural_faults(function: Function, names: Names, *, whole: bool) -> list[Fault]:
    """Return what is wrong with the structure of ``function``, with line numbers.

    ``whole``: every function that is called should be among ``names``.
    """
    if any(token.text == "constexpr" for token in function.block.head):
        return []
    faults = list(_without_blocking(function))
    faults += _divisions(function.block, _constants(function, names))
    faults += _loops(function.block, frozenset())
    faults += _side_channels(function)
    if "dataflow" in _pragmas(function.block):
        faults += _Dataflow(function, names, whole).faults()
    return faults


def _pragmas(block: Block) -> set[str]:
    found = set()
    for item in block.items:
        if isinstance(item, Pragma):
            directive, _ = read_directive(item.text)
            if directive is not None and "off" not in directive.flags:
                found.add(directive.name)
    return found


def _without_blocking(function: Function) -> Iterator[Fault]:
    tokens = list(tokens_of(function.block))
    streams = {p.name for p in function.parameters if p.sort in (Sort.STREAM, Sort.OPAQUE)}
    for index in range(2, len(tokens)):
        name = tokens[index]
        owner = tokens[index - 2]
        if tokens[index - 1].text != "." or name.text not in _WITHOUT_BLOCKING:
            continue
        if name.text.endswith("_nb") or owner.text in streams or owner.text == "]":
            yield name.line, f"{name.text}() does not block: co-simulation wants blocking access"


def _constants(function: Function, names: Names) -> frozenset[str]:
    local = frozenset(_local_constants(function.block))
    return function.constants | frozenset(names.constants) | local | _BUILT_IN


def _local_constants(block: Block) -> Iterator[str]:
    for item in block.items:
        if isinstance(item, Statement):
            texts = [token.text for token in item.tokens]
            if "constexpr" in texts and "=" in texts:
                yield texts[texts.index("=") - 1]
        elif isinstance(item, Block):
            yield from _local_constants(item)


def _divisions(block: Block, constants: frozenset[str]) -> Iterator[Fault]:
    for tokens in _runs(block):
        if tokens and tokens[0].text in ("static_assert", "using", "typedef"):
            continue
        for index, token in enumerate(tokens):
            if token.kind is not Kind.PUNCTUATION or token.text not in _DIVISION:
                continue
            operands = [*_operand_before(tokens, index), *_operand_after(tokens, index)]
            for operand in operands:
                if operand.text not in constants:
                    yield (
                        token.line,
                        f"'{token.text}' divides by or into {operand.text} at run time",
                    )
                    break


def _runs(block: Block) -> Iterator[Sequence[Token]]:
    for item in block.items:
        if isinstance(item, Statement):
            yield item.tokens
        elif isinstance(item, Block):
            yield item.head
            yield from _runs(item)


def _operand_before(tokens: Sequence[Token], index: int) -> list[Token]:
    """Return the unqualified names in the operand that ends before ``index``."""
    end = index
    while index > 0:
        token = tokens[index - 1]
        if token.text in (")", "]"):
            depth = 0
            while index > 0:
                index -= 1
                depth += {")": 1, "]": 1, "(": -1, "[": -1}.get(tokens[index].text, 0)
                if depth == 0:
                    break
            continue
        if token.kind in (Kind.NAME, Kind.NUMBER) or token.text in (".", "::", "->"):
            index -= 1
            continue
        break
    return _free_names(tokens[index:end])


def _operand_after(tokens: Sequence[Token], index: int) -> list[Token]:
    start = index = index + 1
    while index < len(tokens):
        token = tokens[index]
        if token.text in ("(", "["):
            index = (closing(tokens, index) or len(tokens)) + 1
            continue
        if token.kind in (Kind.NAME, Kind.NUMBER) or token.text in (".", "::", "->"):
            index += 1
            continue
        break
    return _free_names(tokens[start:index])


def _free_names(tokens: Sequence[Token]) -> list[Token]:
    """Return the names, but for those that ``::`` qualifies: those are static members."""
    free = []
    for index, token in enumerate(tokens):
        around = [other.text for other in tokens[max(0, index - 1) : index + 2]]
        if token.kind is Kind.NAME and "::" not in around:
            free.append(token)
    return free


def _loops(block: Block, above: frozenset[str]) -> Iterator[Fault]:
    """Check that loops are flat: ``above`` says what the loops around are."""
    for item in block.items:
        if isinstance(item, Statement) and item.tokens[0].text in ("for", "while"):
            if len(item.tokens) > 1 and closing(item.tokens, 1) != len(item.tokens) - 1:
                yield item.line, "a loop without braces can carry no pragma: write braces"
        elif isinstance(item, Block):
            inner = above
            if item.scope is Scope.LOOP:
                pragmas = _pragmas(item) & {"pipeline", "unroll"}
                yield from _loop(item, pragmas, above)
                inner = above | (pragmas or {"neither"})
            elif item.scope is Scope.FUNCTION:
                inner = frozenset()
            yield from _loops(item, inner)


def _loop(loop: Block, pragmas: set[str], above: frozenset[str]) -> Iterator[Fault]:
    if not pragmas:
        yield loop.line, "this loop has neither PIPELINE nor UNROLL: say which it should be"
    elif "pipeline" in above and "unroll" not in pragmas:
        yield loop.line, "a loop in a pipelined loop should have an UNROLL"
    elif above - {"unroll"} and "pipeline" in pragmas:
        yield loop.line, "a pipelined loop in another one: make them one flat loop with counters"


def _side_channels(function: Function) -> Iterator[Fault]:
    """Check that who assigns to ``last`` of a beat also sets all bits of its ``keep``, ``strb``."""
    tokens = list(tokens_of(function.block))
    assigned: dict[str, dict[str, tuple[str, int]]] = {}
    for index in range(1, len(tokens) - 3):
        window = tokens[index - 1 : index + 3]
        if window[1].text == "." and window[3].text == "=" and window[0].kind is Kind.NAME:
            value = "".join(token.text for token in tokens[index + 3 : index + 5])
            channels = assigned.setdefault(window[0].text, {})
            channels[window[2].text] = (value, window[2].line)
    for beat, channels in assigned.items():
        if "last" not in channels:
            continue
        for channel in ("keep", "strb"):
            value, line = channels.get(channel, ("", channels["last"][1]))
            if not value.startswith("-1"):
                yield line, f"{beat}.last is set, so {beat}.{channel} should be set to -1"


class _Dataflow:
    """The body of a function with DATAFLOW."""

    def __init__(self, function: Function, names: Names, whole: bool) -> None:  # noqa: FBT001
        self.function = function
        self.names = names
        self.whole = whole
        self.streams: dict[str, Variable] = {}
        self.uses: dict[str, list[tuple[Call, frozenset[str]]]] = {}

    def faults(self) -> Iterator[Fault]:
        for item in self.function.block.items:
            match item:
                case Block():
                    yield item.line, "a dataflow body is declarations and calls: no block in it"
                case Statement(tokens):
                    yield from self.statement(tokens)
                case _:
                    pass
        for name, variable in self.streams.items():
            yield from self.channel(name, variable)
        for parameter in self.function.parameters:
            uses = self.uses.get(parameter.name, [])
            if parameter.sort is Sort.STREAM and len(uses) != 1:
                users = ", ".join(call.name for call, _ in uses) or "none"
                message = f"port {parameter.name} should have one user, not {len(uses)}: {users}"
                yield parameter.line, message

    def statement(self, tokens: Sequence[Token]) -> Iterator[Fault]:
        if tokens[0].text == "static_assert" or alias_of(tokens) is not None:
            return
        variables = declared(tokens, self.names.stream_types, self.function.opaque)
        if variables:
            for variable in variables:
                if variable.sort is Sort.STREAM:
                    self.streams[variable.name] = variable
                elif not variable.is_const:
                    yield variable.line, f"{variable.name} in a dataflow body is no stream"
            return
        call = call_of(tokens)
        if call is None:
            text = "".join(token.text for token in tokens[:8])
            yield tokens[0].line, f"'{text}' in a dataflow body is neither declaration nor call"
            return
        yield from self.call(call)

    def call(self, call: Call) -> Iterator[Fault]:
        callees = [
            function
            for function in self.names.functions
            if function.name == call.name
            and function.path[len(function.path) - len(call.path) :] == call.path
            and function.takes(len(call.arguments))
        ]
        if not callees and self.whole:
            arguments = counted(len(call.arguments), "argument")
            yield call.line, f"no function {call.name} of {arguments} is there"
        if any(not callee.returns_void for callee in callees):
            yield call.line, f"{call.name} returns a value: a process should return void"
        if any("inline" in _pragmas(callee.block) for callee in callees):
            yield call.line, f"{call.name} is inlined, and its loops would stand in the dataflow"
        known = set(self.streams) | {parameter.name for parameter in self.function.parameters}
        if len(set(call.arguments)) != len(call.arguments):
            yield call.line, f"{call.name} is given one argument twice"
        for place, argument in enumerate(call.arguments):
            base = argument.split("[")[0]
            if base in known:
                found: set[str] = set()
                for callee in callees:
                    parameter = callee.parameter(place)
                    if parameter is not None:
                        found |= directions(callee, self.names).get(parameter.name, frozenset())
                if callees and (len(found) > 1 or (self.whole and not found)):
                    what = "both reads and writes" if found else "neither reads nor writes"
                    yield call.line, f"{call.name} {what} {argument}"
                self.uses.setdefault(argument, []).append((call, frozenset(found)))
            elif argument.isidentifier() and argument not in self.names.variables:
                constants = self.function.constants | self.names.constants
                if argument not in constants:
                    yield call.line, f"{argument} is declared neither here nor before"

    def channel(self, name: str, variable: Variable) -> Iterator[Fault]:
        keys = [key for key in self.uses if key == name or key.startswith(f"{name}[")]
        for key in keys or [name]:
            uses = self.uses.get(key, [])
            if len(uses) != 2:
                users = ", ".join(call.name for call, _ in uses) or "none"
                message = f"stream {key} should have a writer and a reader"
                yield variable.line, f"{message}, not {counted(len(uses), 'user')}: {users}"
                continue
            (first, writes), (second, reads) = uses
            if writes == {"read"} and reads == {"write"}:
                yield first.line, f"stream {key} is read by {first.name} before it is written"
            elif writes == {"read"}:
                yield first.line, f"stream {key} is never written: {first.name} reads it too"
            elif reads == {"write"}:
                yield second.line, f"stream {key} is never read: {second.name} writes it too"
