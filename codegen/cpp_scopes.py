"""Tokens of C++ as nested blocks: namespaces, classes, functions, loops, branches and statements.

Not a parser of C++: enough of one to say in which block a pragma stands, which variables are
declared there, and which functions are called with which arguments.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from lutloom.codegen.cpp_tokens import Kind, Token, tokenize


class Scope(Enum):
    """What a pair of braces encloses."""

    FILE = "file"
    NAMESPACE = "namespace"
    LINKAGE = 'extern "C"'
    CLASS = "class"
    FUNCTION = "function"
    LOOP = "loop"
    BRANCH = "branch"
    PLAIN = "block"


@dataclass(frozen=True, slots=True)
class Statement:
    """The tokens up to a semicolon, without it; braces of initialisers are inside."""

    tokens: tuple[Token, ...]

    @property
    def line(self) -> int:
        """Return the line that the statement begins on."""
        return self.tokens[0].line


@dataclass(frozen=True, slots=True)
class Pragma:
    """What follows ``#pragma``; ``within``: it stands in the midst of a statement."""

    text: str
    line: int
    synthesised: bool
    within: bool


@dataclass(frozen=True, slots=True)
class Block:
    """A pair of braces: ``head`` holds the tokens of the statement that it belongs to."""

    scope: Scope
    head: tuple[Token, ...]
    line: int
    items: tuple[Statement | Pragma | Block, ...]


class UnbalancedError(ValueError):
    """Text whose brackets do not match, or that holds something that is no token."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


_CONTROL = {
    "for": Scope.LOOP,
    "while": Scope.LOOP,
    "do": Scope.LOOP,
    "if": Scope.BRANCH,
    "else": Scope.BRANCH,
    "switch": Scope.BRANCH,
}
_CLOSING = {"(": ")", "[": "]", "{": "}", "<": ">"}
_OUTSIDE_FUNCTIONS = (Scope.FILE, Scope.NAMESPACE, Scope.LINKAGE, Scope.CLASS)


def parse(text: str) -> tuple[Block, tuple[str, ...]]:
    """Return ``text`` as one block, and the names of the macros that it defines.

    Raises ``UnbalancedError`` where brackets do not match or a character begins no token.
    """
    tokens = tokenize(text)
    for token in tokens:
        if token.kind is Kind.STRAY:
            raise UnbalancedError(token.line, f"{token.text!r} begins no token of C++")
    macros = tuple(token.text for token in tokens if token.kind is Kind.MACRO)
    visible = [
        token
        for token in tokens
        if token.kind is Kind.PRAGMA or (token.synthesised and token.kind is not Kind.MACRO)
    ]
    reader = _Reader(visible)
    items = reader.items(Scope.FILE)
    if reader.position < len(visible):
        raise UnbalancedError(visible[reader.position].line, "this '}' closes nothing")
    return Block(Scope.FILE, (), 1, items), macros


@dataclass
class _Reader:
    tokens: Sequence[Token]
    position: int = 0

    def items(self, scope: Scope) -> tuple[Statement | Pragma | Block, ...]:
        """Read up to the brace that closes the block, or to the end of the text."""
        found: list[Statement | Pragma | Block] = []
        pending: list[Token] = []
        while self.position < len(self.tokens):
            token = self.tokens[self.position]
            if token.kind is Kind.PRAGMA:
                within = bool(_without_labels(pending))
                found.append(Pragma(token.text, token.line, token.synthesised, within))
            elif token.text == "}":
                break
            elif token.text == ";":
                if pending:
                    found.append(Statement(tuple(_without_labels(pending))))
                pending = []
            elif token.text == "{":
                head = tuple(_without_labels(pending))
                inner = _scope_of(head, scope)
                if inner is None:
                    pending.extend(self.bracketed(found))
                    continue
                self.position += 1
                found.append(Block(inner, head, token.line, self.items(inner)))
                if self.position == len(self.tokens):
                    raise UnbalancedError(token.line, "this '{' is not closed")
                pending = []
            elif token.text in ("(", "["):
                pending.extend(self.bracketed(found))
                continue
            elif token.text in (")", "]"):
                raise UnbalancedError(token.line, f"this '{token.text}' closes nothing")
            else:
                pending.append(token)
            self.position += 1
        if pending:
            raise UnbalancedError(pending[0].line, "this statement has no ';'")
        return tuple(found)

    def bracketed(self, found: list[Statement | Pragma | Block]) -> list[Token]:
        """Return the tokens from an opening bracket to the one that closes it."""
        opening = self.tokens[self.position]
        expected: list[str] = []
        taken: list[Token] = []
        while self.position < len(self.tokens):
            token = self.tokens[self.position]
            self.position += 1
            if token.kind is Kind.PRAGMA:
                found.append(Pragma(token.text, token.line, token.synthesised, within=True))
                continue
            taken.append(token)
            if token.kind is Kind.PUNCTUATION and token.text in ("(", "[", "{"):
                expected.append(_CLOSING[token.text])
            elif token.kind is Kind.PUNCTUATION and token.text in (")", "]", "}"):
                if token.text != expected.pop():
                    raise UnbalancedError(token.line, f"this '{token.text}' closes nothing")
                if not expected:
                    return taken
        raise UnbalancedError(opening.line, f"this '{opening.text}' is not closed")


def _without_labels(tokens: Sequence[Token]) -> Sequence[Token]:
    while len(tokens) >= 2 and tokens[0].kind is Kind.NAME:
        if tokens[1].text == ":":
            tokens = tokens[2:]
        elif tokens[0].text == "case" and any(token.text == ":" for token in tokens):
            end = next(index for index, token in enumerate(tokens) if token.text == ":")
            tokens = tokens[end + 1 :]
        else:
            break
    return tokens


def _scope_of(head: Sequence[Token], parent: Scope) -> Scope | None:
    """Return what the braces after ``head`` enclose, None for those of an initialiser."""
    outer = [token.text for token in at_depth_zero(head)]
    if parent not in _OUTSIDE_FUNCTIONS:
        controls = [text for text in outer if text in _CONTROL]
        if controls:
            return _CONTROL[controls[-1]]
        return None if head else Scope.PLAIN
    if outer and outer[0] == "namespace":
        return Scope.NAMESPACE
    if outer[:1] == ["extern"] and len(head) == 2:
        return Scope.LINKAGE
    bare = without_template(head)
    texts = [token.text for token in at_depth_zero(bare)]
    if "=" in texts and "operator" not in texts:
        return None
    if parameter_list(bare) is not None:
        return Scope.FUNCTION
    # The items of an enumeration are no statements: it is one itself, up to its semicolon.
    if any(text in ("struct", "class", "union") for text in texts) and "enum" not in texts:
        return Scope.CLASS
    return None if head else Scope.PLAIN


def at_depth_zero(tokens: Sequence[Token]) -> Iterator[Token]:
    """Yield the tokens that stand in no parentheses, brackets or braces (angles do not count)."""
    depth = 0
    for token in tokens:
        if token.kind is Kind.PUNCTUATION and token.text in (")", "]", "}"):
            depth -= 1
        if depth == 0:
            yield token
        if token.kind is Kind.PUNCTUATION and token.text in ("(", "[", "{"):
            depth += 1


def closing(tokens: Sequence[Token], start: int) -> int | None:
    """Return the index of the bracket that closes the one at ``start``; ``<`` opens there only.

    Within parentheses a ``<`` compares, so angles are counted outside of them alone.
    """
    stack: list[str] = []
    for index in range(start, len(tokens)):
        token = tokens[index]
        if token.kind is not Kind.PUNCTUATION:
            continue
        angles = not stack or stack[-1] == ">"
        if token.text in ("(", "[", "{") or (token.text == "<" and angles):
            stack.append(_CLOSING[token.text])
        elif stack and token.text == stack[-1]:
            stack.pop()
            if not stack:
                return index
        elif token.text in (")", "]", "}"):
            return None
    return None


def without_template(head: Sequence[Token]) -> Sequence[Token]:
    """Return ``head`` after its ``template <...>``, or after ``extern "C"``."""
    while head and head[0].text == "template" and len(head) > 1 and head[1].text == "<":
        end = closing(head, 1)
        if end is None:
            return head
        head = head[end + 1 :]
    if len(head) > 2 and head[0].text == "extern" and head[1].kind is Kind.STRING:
        return head[2:]
    return head


def parameter_list(head: Sequence[Token]) -> tuple[int, int] | None:
    """Return where the parameter list of a function's head opens and closes, None if none."""
    index = 0
    while index < len(head):
        token = head[index]
        if token.text == "<" and index and head[index - 1].kind is Kind.NAME:
            end = closing(head, index)
            if end is None:
                return None
            index = end
        elif token.text == "(":
            end = closing(head, index)
            named = index > 0 and (head[index - 1].kind is Kind.NAME or _is_operator(head, index))
            return (index, end) if named and end is not None else None
        index += 1
    return None


def _is_operator(head: Sequence[Token], index: int) -> bool:
    return any(token.text == "operator" for token in head[max(0, index - 3) : index])


def split(tokens: Sequence[Token], *, angles: bool) -> list[tuple[Token, ...]]:
    """Return ``tokens`` cut at the commas outside of brackets; ``angles``: ``<`` is a bracket."""
    if not tokens:
        return []
    parts: list[tuple[Token, ...]] = []
    start = index = 0
    while index < len(tokens):
        token = tokens[index]
        is_angle = angles and token.text == "<" and index and tokens[index - 1].kind is Kind.NAME
        if token.kind is Kind.PUNCTUATION and (token.text in ("(", "[", "{") or is_angle):
            index = closing(tokens, index) or index
        elif token.text == ",":
            parts.append(tuple(tokens[start:index]))
            start = index + 1
        index += 1
    parts.append(tuple(tokens[start:]))
    return parts
