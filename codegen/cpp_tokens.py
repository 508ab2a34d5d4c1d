"""C++ text as tokens with line numbers: comments dropped, directives whole, line splices joined.

Only as much of the language as generated code uses. ``>`` is always a token of its own, so that
``hls::stream<ap_uint<8>>`` nests; a run of eight or more numbers between commas is one token, and
so is one of four or more rows of numbers in braces, so that a table of weights costs next to
nothing. What ``__SYNTHESIS__`` excludes is marked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a token is."""

    NAME = "name"
    NUMBER = "number"
    STRING = "string"
    PUNCTUATION = "punctuation"
    PRAGMA = "pragma"
    MACRO = "macro"
    STRAY = "stray"


@dataclass(frozen=True, slots=True)
class Token:
    """A token: ``text`` of a pragma is what follows ``#pragma``; of a macro, the name defined."""

    kind: Kind
    text: str
    line: int
    synthesised: bool = True


_NUMBER = r"(?:0[xX][0-9a-fA-F]+[uUlL]*|\.?[0-9][0-9A-Za-z_.']*(?:(?<=[eE])[+-][0-9]+)?)"
_DIGITS = r"-?[0-9][-0-9a-fA-FxXuUlL,\s]"
_LEXEME = re.compile(
    rf"""
    (?P<blank>(?:\s|\\\n)+)
  | (?P<comment>//(?:\\\n|[^\n])*|/\*.*?\*/)
  | (?P<directive>\#(?:\\\n|[^\n])*)
  | (?P<string>(?:u8|[uUL])?R"(?P<fence>[^()\\\s]*)\(.*?\)(?P=fence)"
      |(?:u8|[uUL])?"(?:\\.|[^"\\\n])*"|(?:u8|[uUL])?'(?:\\.|[^'\\\n])+')
  | (?P<number>{_DIGITS}{{99,}}(?=\}})|(?:\{{{_DIGITS}*\}},?\s*){{4,}}
      |{_NUMBER}(?:(?:\s*,\s*{_NUMBER}){{7,}})?)
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<punctuation>::|->|\+\+|--|<<=?|&&|\|\||[-+*/%&|^!=<>]=|[][(){{}}<>;:,.?~!+*/%&|^=-])
  | (?P<stray>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT = re.compile(r"//.*|/\*.*?(?:\*/|$)", re.DOTALL)
_DIRECTIVE = re.compile(r"#\s*([a-z_]*)\s*(.*)", re.DOTALL)
_KINDS = {
    "string": Kind.STRING,
    "number": Kind.NUMBER,
    "name": Kind.NAME,
    "punctuation": Kind.PUNCTUATION,
    "stray": Kind.STRAY,
}


def tokenize(text: str) -> tuple[Token, ...]:
    """Return the tokens of ``text``; a character or quote that begins no token is ``STRAY``."""
    tokens: list[Token] = []
    # One entry a conditional directive that is open: whether synthesis reads its present branch,
    # and whether it reads the other one.
    branches: list[tuple[bool, bool]] = []
    line = 1
    for lexeme in _LEXEME.finditer(text):
        group, matched = lexeme.lastgroup, lexeme.group()
        if group == "directive":
            synthesised = all(present for present, _ in branches)
            tokens.extend(_directive(matched, line, branches, synthesised=synthesised))
        elif group in _KINDS:
            synthesised = not branches or all(present for present, _ in branches)
            tokens.append(Token(_KINDS[group], matched, line, synthesised))
        line += matched.count("\n")
    return tuple(tokens)


def _directive(
    text: str, line: int, branches: list[tuple[bool, bool]], *, synthesised: bool
) -> list[Token]:
    body = _COMMENT.sub(" ", text.replace("\\\n", " "))
    parsed = _DIRECTIVE.match(body)
    keyword, rest = (parsed[1], parsed[2].strip()) if parsed else ("", "")
    compact = rest.replace(" ", "")
    match keyword:
        case "pragma":
            return [Token(Kind.PRAGMA, rest, line, synthesised)]
        case "define":
            name = re.match(r"[A-Za-z_]\w*", rest)
            return [Token(Kind.MACRO, name.group(), line, synthesised)] if name else []
        case "ifdef" | "ifndef" | "if":
            defined = compact in {"__SYNTHESIS__", "defined(__SYNTHESIS__)"}
            absent = compact == "!defined(__SYNTHESIS__)"
            if keyword == "ifndef":
                defined, absent = False, compact == "__SYNTHESIS__"
            branches.append((not absent, not defined))
        case "else" if branches:
            present, other = branches[-1]
            branches[-1] = (other, present)
        case "endif" if branches:
            branches.pop()
    return []
