"""What C++ text declares: functions with their parameters, variables, constants, classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import pairwise

from lutloom.codegen.cpp_scopes import (
    Block,
    Scope,
    Statement,
    at_depth_zero,
    closing,
    parameter_list,
    split,
    without_template,
)
from lutloom.codegen.cpp_tokens import Kind, Token


class Sort(Enum):
    """What a variable is; ``OPAQUE``: its type is a parameter of a template, or ``auto``."""

    STREAM = "stream"
    ARRAY = "array"
    SCALAR = "scalar"
    OPAQUE = "value of a type that is not known here"


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable or parameter; ``dimensions`` counts those of an array, streams included."""

    name: str
    sort: Sort
    dimensions: int
    type_name: str
    is_const: bool
    is_static: bool
    line: int
    is_pack: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """A function with a body. ``path``: the names of the namespaces and classes around it."""

    file: str
    name: str
    path: tuple[str, ...]
    returns_void: bool
    is_template: bool
    external: bool
    parameters: tuple[Variable, ...]
    constants: frozenset[str]
    opaque: frozenset[str]
    block: Block

    def parameter(self, place: int) -> Variable | None:
        """Return the parameter that takes the argument at ``place``, a pack all from its own."""
        if self.parameters and self.parameters[-1].is_pack:
            place = min(place, len(self.parameters) - 1)
        return self.parameters[place] if place < len(self.parameters) else None

    def takes(self, arguments: int) -> bool:
        """Return whether it can be called with that many arguments."""
        if self.parameters and self.parameters[-1].is_pack:
            return arguments >= len(self.parameters) - 1
        return arguments == len(self.parameters)


@dataclass
class Names:
    """What one or several files declare outside of functions."""

    functions: list[Function] = field(default_factory=list)
    variables: dict[str, Variable] = field(default_factory=dict)
    constants: set[str] = field(default_factory=set)
    members: dict[str, dict[str, Variable]] = field(default_factory=dict)
    stream_types: set[str] = field(default_factory=set)
    external: set[str] = field(default_factory=set)
    prototypes: set[str] = field(default_factory=set)
    file: str = ""
    directions: dict[int, Mapping[str, frozenset[str]]] = field(default_factory=dict)


_NO_TYPE = frozenset(
    "return if else for while do switch case break continue goto using typedef static_assert"
    " delete new throw namespace template friend public private protected operator sizeof".split()
)
_WORDS = frozenset("unsigned signed int long short char bool float double void auto".split())
_QUALIFIERS = frozenset("const static constexpr volatile typename inline extern register".split())


def collect(files: Mapping[str, tuple[Block, Sequence[str]]]) -> Names:
    """Return what the files (each a block and its macros) declare outside of functions."""
    # Twice: the first time for the types of streams alone, which another file may give a name.
    names = _collect_once(files, set())
    return _collect_once(files, names.stream_types) if names.stream_types else names


def _collect_once(
    files: Mapping[str, tuple[Block, Sequence[str]]], stream_types: set[str]
) -> Names:
    names = Names(stream_types=stream_types)
    for file, (block, macros) in files.items():
        names.file = file
        names.constants.update(macros)
        _collect(block, names, (), external=False, constants=frozenset(), opaque=frozenset())
    names.external.update(function.name for function in names.functions if function.external)
    return names


def _collect(
    block: Block,
    names: Names,
    path: tuple[str, ...],
    *,
    external: bool,
    constants: frozenset[str],
    opaque: frozenset[str],
) -> None:
    for item in block.items:
        match item:
            case Statement():
                _collect_statement(item, names, path, block.scope, external=external)
            case Block(scope=Scope.FUNCTION):
                function = _function(item, names, path, constants, opaque, external=external)
                names.functions.append(function)
            case Block(scope=Scope.NAMESPACE | Scope.LINKAGE | Scope.CLASS):
                _collect_nested(item, names, path, constants, opaque, external=external)
            case _:
                pass


def _collect_nested(
    block: Block,
    names: Names,
    path: tuple[str, ...],
    constants: frozenset[str],
    opaque: frozenset[str],
    *,
    external: bool,
) -> None:
    bare = without_template(block.head)
    own_constants, own_opaque = template_parameters(block.head)
    if block.scope is Scope.CLASS:
        inner = (*path, _class_name(bare))
        names.members.setdefault(inner[-1], {})
    else:
        inner = (*path, *(t.text for t in bare[1:] if t.kind is Kind.NAME))
    _collect(
        block,
        names,
        inner,
        external=external or block.scope is Scope.LINKAGE,
        constants=constants | own_constants,
        opaque=opaque | own_opaque,
    )


def _class_name(bare: Sequence[Token]) -> str:
    for index, token in enumerate(bare):
        following = index + 1 < len(bare) and bare[index + 1].kind is Kind.NAME
        if token.text in ("struct", "class", "union") and following:
            return bare[index + 1].text
    return ""


def _collect_statement(
    statement: Statement,
    names: Names,
    path: tuple[str, ...],
    scope: Scope,
    *,
    external: bool,
) -> None:
    tokens = statement.tokens
    alias = alias_of(tokens)
    if alias is not None:
        if alias[1]:
            names.stream_types.add(alias[0])
        return
    if tokens[0].text == "enum":
        names.constants.update(_enumerators(tokens))
        return
    linkage = len(tokens) > 1 and tokens[0].text == "extern" and tokens[1].kind is Kind.STRING
    bare = without_template(tokens)
    where = parameter_list(bare)
    if where is not None and not any(token.text == "=" for token in at_depth_zero(bare)):
        name = bare[where[0] - 1].text
        names.prototypes.add(name)
        if linkage or external:
            names.external.add(name)
        return
    for variable in declared(bare, names.stream_types, frozenset()):
        if scope is Scope.CLASS:
            names.members[path[-1]][variable.name] = variable
        else:
            names.variables[variable.name] = variable
        if variable.is_const and variable.sort is not Sort.ARRAY:
            names.constants.add(variable.name)


def _enumerators(tokens: Sequence[Token]) -> Iterator[str]:
    for before, token in pairwise(tokens):
        if before.text in ("{", ",") and token.kind is Kind.NAME:
            yield token.text


def alias_of(tokens: Sequence[Token]) -> tuple[str, bool] | None:
    """Return the name that ``using`` or ``typedef`` gives, and whether it is a stream's."""
    if not tokens or tokens[0].text not in ("using", "typedef"):
        return None
    stream = any(token.text == "stream" for token in tokens)
    if tokens[0].text == "typedef":
        return tokens[-1].text, stream
    return (tokens[1].text if len(tokens) > 1 else ""), stream


def template_parameters(head: Sequence[Token]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names of a template's values and those of its types."""
    constants: set[str] = set()
    types: set[str] = set()
    if len(head) < 2 or head[0].text != "template":
        return frozenset(), frozenset()
    end = closing(head, 1)
    for part in split(head[2:end], angles=True):
        before = []
        for token in part:
            if token.text == "=":
                break
            before.append(token)
        named = [token for token in before if token.kind is Kind.NAME]
        if not named:
            continue
        is_type = before[0].text in ("typename", "class", "template")
        (types if is_type else constants).add(named[-1].text)
    return frozenset(constants), frozenset(types)


def _function(
    block: Block,
    names: Names,
    path: tuple[str, ...],
    constants: frozenset[str],
    opaque: frozenset[str],
    *,
    external: bool,
) -> Function:
    own_constants, own_opaque = template_parameters(block.head)
    bare = without_template(block.head)
    where = parameter_list(bare)
    assert where is not None, "a block is a function only if it has a parameter list"
    start, end = where
    linkage = block.head[0].text == "extern"
    types = opaque | own_opaque
    parameters = [
        parameter
        for part in split(bare[start + 1 : end], angles=True)
        if (parameter := _parameter(part, names.stream_types, types)) is not None
    ]
    return Function(
        file=names.file,
        name=bare[start - 1].text,
        path=path,
        returns_void=any(token.text == "void" for token in bare[: start - 1]),
        is_template=block.head[0].text == "template",
        external=external or linkage,
        parameters=tuple(parameters),
        constants=constants | own_constants,
        opaque=types,
        block=block,
    )


def _parameter(
    part: Sequence[Token], stream_types: set[str], opaque: frozenset[str]
) -> Variable | None:
    tokens: list[Token] = []
    for token in part:
        if token.text == "=":
            break
        if token.text != ".":
            tokens.append(token)
    is_pack = any(token.text == "." for token in part)
    # A reference to an array: TYPE (&name)[N], turned into TYPE name[N].
    for index, token in enumerate(tokens):
        if token.text == "(" and index + 2 < len(tokens) and tokens[index + 1].text in ("&", "*"):
            end = closing(tokens, index)
            if end is not None:
                tokens = [*tokens[:index], *tokens[index + 2 : end], *tokens[end + 1 :]]
            break
    found = declared(tokens, stream_types, opaque)
    return replace(found[0], is_pack=is_pack) if found else None


def declared(
    tokens: Sequence[Token], stream_types: set[str], opaque: frozenset[str]
) -> list[Variable]:
    """Return the variables that a statement declares, none if it is no declaration."""
    if not tokens or tokens[0].text in _NO_TYPE:
        return []
    index, flags = 0, set()
    while index < len(tokens) and tokens[index].text in _QUALIFIERS:
        flags.add(tokens[index].text)
        index += 1
    head = _type_end(tokens, index)
    if head is None:
        return []
    type_tokens = tokens[index:head]
    while head < len(tokens) and tokens[head].text in ("const", "&", "*", "&&"):
        flags.add(tokens[head].text)
        head += 1
    rest = tokens[head:]
    if not rest or rest[0].kind is not Kind.NAME:
        return []
    if len(rest) > 1 and rest[1].text not in ("=", "[", "(", "{", ",", ":"):
        return []
    type_name = _head_of(type_tokens)
    is_stream = type_name == "stream" or type_name in stream_types
    variables = []
    for part in split(rest, angles=False):
        if part and part[0].kind is Kind.NAME:
            dimensions = _dimensions(part)
            sort = Sort.ARRAY if dimensions else Sort.SCALAR
            if is_stream:
                sort = Sort.STREAM
            elif (type_name in opaque or type_name == "auto") and not dimensions:
                sort = Sort.OPAQUE
            variables.append(
                Variable(
                    name=part[0].text,
                    sort=sort,
                    dimensions=dimensions,
                    type_name=type_name,
                    is_const=not flags.isdisjoint({"const", "constexpr"}),
                    is_static="static" in flags,
                    line=part[0].line,
                )
            )
    return variables


def _dimensions(part: Sequence[Token]) -> int:
    index, count = 1, 0
    while index < len(part) and part[index].text == "[":
        count += 1
        index = (closing(part, index) or len(part)) + 1
    return count


def _type_end(tokens: Sequence[Token], index: int) -> int | None:
    """Return the index after the type that begins at ``index``, None if none does."""
    if index < len(tokens) and tokens[index].text in _WORDS:
        while index < len(tokens) and tokens[index].text in _WORDS:
            index += 1
        return index
    if index < len(tokens) and tokens[index].text == "struct":
        index += 1
    while index < len(tokens) and tokens[index].kind is Kind.NAME:
        index += 1
        if index < len(tokens) and tokens[index].text == "<":
            end = closing(tokens, index)
            if end is None:
                return None
            index = end + 1
        if index >= len(tokens) or tokens[index].text != "::":
            return index
        index += 1
        if index < len(tokens) and tokens[index].text == "template":
            index += 1
    return None


def _head_of(type_tokens: Sequence[Token]) -> str:
    """Return the last name of a type outside of its angles: ``stream`` of ``hls::stream<T>``."""
    name = ""
    index = 0
    while index < len(type_tokens):
        token = type_tokens[index]
        if token.text == "<":
            index = closing(type_tokens, index) or index
        elif token.kind is Kind.NAME:
            name = token.text
        index += 1
    return name


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function, and its arguments as text; ``path`` are its ``namespace::`` names."""

    name: str
    path: tuple[str, ...]
    arguments: tuple[str, ...]
    line: int


def call_of(tokens: Sequence[Token]) -> Call | None:
    """Return the call that a whole statement consists of, None if it is anything else."""
    index, path = 0, []
    if tokens and tokens[0].text == "::":
        index = 1
    while index < len(tokens) and tokens[index].kind is Kind.NAME:
        path.append(tokens[index].text)
        index += 1
        if index < len(tokens) and tokens[index].text == "<":
            end = closing(tokens, index)
            if end is None:
                return None
            index = end + 1
        if index < len(tokens) and tokens[index].text == "::":
            index += 1
            continue
        if index >= len(tokens) or tokens[index].text != "(" or path[-1] in _NO_TYPE:
            return None
        if closing(tokens, index) != len(tokens) - 1:
            return None
        arguments = split(tokens[index + 1 : -1], angles=True)
        return Call(
            path[-1],
            tuple(path[:-1]),
            tuple("".join(token.text for token in argument) for argument in arguments),
            tokens[0].line,
        )
    return None


def tokens_of(block: Block) -> Iterator[Token]:
    """Yield the tokens of every statement and head within ``block``, in the order of the text."""
    for item in block.items:
        match item:
            case Statement():
                yield from item.tokens
            case Block():
                yield from item.head
                yield from tokens_of(item)
            case _:
                pass


def calls_passing(function: Function, name: str) -> Iterator[tuple[str, int]]:
    """Yield the name of each function that is given ``name`` alone as an argument, and which."""
    tokens = list(tokens_of(function.block))
    for index, token in enumerate(tokens):
        if token.kind is not Kind.NAME or token.text != name or index + 1 >= len(tokens):
            continue
        after = index + 1
        while after < len(tokens) and tokens[after].text == ".":
            after += 1
        alone = tokens[after].text in (")", ",") and after in (index + 1, index + 4)
        if tokens[index - 1].text not in ("(", ",") or not alone:
            continue
        depth, place = 0, 0
        for back in range(index - 1, -1, -1):
            text = tokens[back].text
            if text in (")", "]", "}", ">"):
                depth += 1
            elif depth and text in ("(", "[", "{", "<"):
                depth -= 1
            elif text == "," and depth == 0:
                place += 1
            elif text == "(":
                callee = _callee(tokens, back)
                if callee:
                    yield callee, place
                break


def _callee(tokens: Sequence[Token], opening: int) -> str:
    index = opening - 1
    if index >= 0 and tokens[index].text == ">":
        depth = 0
        while index >= 0:
            depth += {">": 1, "<": -1}.get(tokens[index].text, 0)
            index -= 1
            if depth == 0:
                break
    return tokens[index].text if index >= 0 and tokens[index].kind is Kind.NAME else ""


def directions(function: Function, names: Names) -> Mapping[str, frozenset[str]]:
    """Return what ``function`` does to each parameter that may be a stream: read, write, both."""
    key = id(function.block)
    if key not in names.directions:
        names.directions[key] = {
            parameter.name: _direction(function, parameter.name, names, frozenset())
            for parameter in function.parameters
            if parameter.sort in (Sort.STREAM, Sort.OPAQUE)
        }
    return names.directions[key]


def _direction(
    function: Function, name: str, names: Names, seen: frozenset[tuple[str, int]]
) -> frozenset[str]:
    tokens = list(tokens_of(function.block))
    found: set[str] = set()
    for index, token in enumerate(tokens):
        if token.kind is not Kind.NAME or token.text != name:
            continue
        after = index + 1
        while after < len(tokens) and tokens[after].text == "[":
            after = (closing(tokens, after) or len(tokens)) + 1
        following = [token.text for token in tokens[after : after + 2]]
        if following in ([".", "read"], [">", ">"]):
            found.add("read")
        elif following == [".", "write"] or following[:1] == ["<<"]:
            found.add("write")
    for callee, place in calls_passing(function, name):
        if (callee, place) in seen:
            continue
        for other in names.functions:
            inner = other.parameter(place) if other.name == callee else None
            if inner is not None:
                found |= _direction(other, inner.name, names, seen | {(callee, place)})
    return frozenset(found)
