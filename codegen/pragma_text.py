"""One ``#pragma HLS`` line as its name, options and flags, held against the grammar."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from lutloom.codegen.cpp_tokens import Kind, Token, tokenize
from lutloom.codegen.pragma_rules import (
    DEAD,
    DEAD_OPTIONS,
    INTERFACE_FLAGS,
    INTERFACE_OPTIONS,
    MAXIMUM_LATENCY,
    OPERATOR_IMPLEMENTATIONS,
    RULES,
    STORAGE_IMPLEMENTATIONS,
    Choice,
    Integer,
    Named,
    Option,
    Rule,
)

_BINARY = ("+", "-", "*", "/", "%")


@dataclass(frozen=True)
class Directive:
    """A pragma whose name is known. ``options``: values by name, words in lower case."""

    name: str
    rule: Rule
    options: Mapping[str, tuple[Token, ...]]
    flags: frozenset[str]

    def text(self, option: str) -> str:
        """Return the value of ``option`` as written, "" where it is not given."""
        return "".join(token.text for token in self.options.get(option, ()))

    def word(self, option: str) -> str:
        """Return the value of ``option`` in lower case, "" where it is not given."""
        return self.text(option).lower()

    def number(self, option: str) -> int | None:
        """Return the value of ``option`` if it is given as a number."""
        return literal(self.options.get(option, ()))


def literal(tokens: Sequence[Token]) -> int | None:
    """Return the integer that the tokens write, None if they write none."""
    text = "".join(token.text for token in tokens)
    if not re.fullmatch(r"-?(0[xX][0-9a-fA-F]+|0|[1-9][0-9]*)[uUlL]*", text):
        return None
    return int(text.rstrip("uUlL"), 0)


@cache
def read_directive(text: str) -> tuple[Directive | None, tuple[str, ...]]:
    """Return the directive in ``text`` (what follows ``#pragma``), and what is wrong with it.

    None for a pragma that is no HLS pragma, whether or not that is a fault.
    """
    words = text.split(maxsplit=1)
    if words and words[0] in ("once", "GCC", "clang"):
        return None, ()
    if not words or words[0].upper() != "HLS":
        found = words[0] if words else "nothing"
        return None, (f"'#pragma {found}' is no pragma that any tool reads: write '#pragma HLS'",)
    tokens = list(tokenize(words[1] if len(words) > 1 else ""))
    if not tokens or tokens[0].kind is not Kind.NAME:
        return None, ("'#pragma HLS' names no pragma",)
    name = tokens[0].text.lower()
    if name in DEAD:
        return None, (f"pragma {tokens[0].text} is dead: {DEAD[name]}",)
    if name not in RULES:
        return None, (f"there is no pragma {tokens[0].text}{_guess(name, RULES)}",)
    given, faults = _given(tokens[1:])
    directive, more = _sorted(name, RULES[name], given)
    faults += more
    faults += _missing(directive)
    faults += _contradictions(directive)
    return directive, tuple(f"pragma {name.upper()}: {fault}" for fault in faults)


def _guess(name: str, known: Mapping[str, object] | Sequence[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, list(known), n=1)
    return f": did you mean {near[0]}?" if near else ""


def _given(tokens: Sequence[Token]) -> tuple[list[tuple[str, tuple[Token, ...] | None]], list[str]]:
    """Return each option with its value, None for a word alone."""
    given: list[tuple[str, tuple[Token, ...] | None]] = []
    index = 0
    while index < len(tokens):
        token = tokens[index]
        if token.kind is not Kind.NAME:
            return given, [f"'{token.text}' is no option"]
        index += 1
        if index == len(tokens) or tokens[index].text != "=":
            given.append((token.text, None))
            continue
        end = _value_end(tokens, index + 1)
        if end is None:
            return given, [f"option {token.text} has no value"]
        given.append((token.text, tuple(tokens[index + 1 : end])))
        index = end
    return given, []


def _value_end(tokens: Sequence[Token], index: int) -> int | None:
    """Return the index after the expression that begins at ``index``."""
    while True:
        end = _operand_end(tokens, index)
        if end is None or end == len(tokens) or tokens[end].text not in _BINARY:
            return end
        index = end + 1


def _operand_end(tokens: Sequence[Token], index: int) -> int | None:
    if index < len(tokens) and tokens[index].text == "-":
        index += 1
    if index >= len(tokens):
        return None
    if tokens[index].text == "(":
        depth = 0
        for end in range(index, len(tokens)):
            depth += {"(": 1, ")": -1}.get(tokens[end].text, 0)
            if depth == 0:
                return end + 1
        return None
    if tokens[index].kind not in (Kind.NAME, Kind.NUMBER, Kind.STRING):
        return None
    index += 1
    while index + 1 < len(tokens) and tokens[index].text in ("::", "."):
        index += 2
    return index


def _sorted(
    name: str, rule: Rule, given: Sequence[tuple[str, tuple[Token, ...] | None]]
) -> tuple[Directive, list[str]]:
    """Return the directive, each word alone given to the option whose value it is."""
    faults: list[str] = []
    values: dict[str, tuple[Token, ...]] = {}
    flags: set[str] = set()
    options, legal_flags = _legal(name, rule, given)
    for written, value in given:
        option, tokens = written.lower(), value
        if (name, option) in DEAD_OPTIONS:
            faults.append(f"option {written} is dead: {DEAD_OPTIONS[name, option]}")
            continue
        if tokens is None:
            owner = _owner(option, options)
            if option in legal_flags:
                if option in flags:
                    faults.append(f"{written} is given twice")
                flags.add(option)
                continue
            if owner is None:
                known = [*options, *legal_flags]
                wants = " wants a value" if option in options else " is not known"
                guess = "" if option in options else _guess(option, known)
                faults.append(f"option {written}{wants}{guess}")
                continue
            option, tokens = owner, (Token(Kind.NAME, written, 0),)
        if option not in options:
            alone = " takes no value" if option in legal_flags else " is not known"
            known = [*options, *legal_flags]
            faults.append(f"option {written}{alone}{_guess(option, known)}")
            continue
        if option in values:
            faults.append(f"{option} is given twice")
        values[option] = tokens
        faults += _value_faults(written, options[option], tokens)
    return Directive(name, rule, values, frozenset(flags)), faults


def _legal(
    name: str, rule: Rule, given: Sequence[tuple[str, tuple[Token, ...] | None]]
) -> tuple[Mapping[str, Option], frozenset[str]]:
    if name != "interface":
        return rule.options, rule.flags
    for option, value in given:
        mode = "".join(token.text for token in value or ()) if option.lower() == "mode" else option
        if mode.lower() in INTERFACE_OPTIONS:
            more = INTERFACE_OPTIONS[mode.lower()]
            return {**rule.options, **more}, INTERFACE_FLAGS.get(mode.lower(), frozenset())
    return rule.options, rule.flags


def _owner(word: str, options: Mapping[str, Option]) -> str | None:
    for name, option in options.items():
        if isinstance(option, Choice) and option.bare and word in option.words:
            return name
    return None


def _value_faults(name: str, option: Option, value: tuple[Token, ...]) -> Iterator[str]:
    text = "".join(token.text for token in value)
    match option:
        case Integer(minimum):
            number = literal(value)
            if number is not None and number < minimum:
                yield f"{name}={text} should be at least {minimum}"
            elif number is None and not any(token.kind is Kind.NAME for token in value):
                plain = all(
                    token.kind is not Kind.STRING and "." not in token.text for token in value
                )
                if not plain or len(value) == 1:
                    yield f"{name}={text} should be an integer"
        case Choice(words):
            if text.lower() not in words:
                yield f"{name}={text} should be one of {', '.join(words)}"
        case Named():
            if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", text):
                yield f"{name}={text} should be the name of a variable"
        case _:
            if not re.fullmatch(r"\w+", text):
                yield f"{name}={text} should be a name"


def _missing(directive: Directive) -> Iterator[str]:
    for option in directive.rule.required:
        if option not in directive.options:
            yield f"{option} is missing"


def _contradictions(directive: Directive) -> Iterator[str]:
    match directive.name:
        case "array_partition" | "array_reshape":
            yield from _shape(directive)
        case "bind_storage":
            yield from _pair(directive, directive.word("type"), STORAGE_IMPLEMENTATIONS)
        case "bind_op":
            yield from _pair(directive, directive.word("op"), OPERATOR_IMPLEMENTATIONS)
        case "interface":
            yield from _interface(directive)
        case "pipeline" | "inline":
            yield from _exclusions(directive)
        case "dependence":
            yield from _dependence(directive)
        case "latency" | "loop_tripcount":
            low, high = directive.number("min"), directive.number("max")
            if low is not None and high is not None and low > high:
                yield f"min={low} is above max={high}"
        case _:
            pass


def _exclusions(directive: Directive) -> Iterator[str]:
    if "off" in directive.flags and (directive.options or len(directive.flags) > 1):
        yield "off excludes every other option"
    if "rewind" in directive.flags and directive.word("style") == "frp":
        yield "rewind and style=frp exclude one another"


def _dependence(directive: Directive) -> Iterator[str]:
    if ("variable" in directive.options) == ("class" in directive.options):
        yield "give either variable or class"
    if "distance" in directive.options and directive.word("dependent") != "true":
        yield "distance goes with dependent=true only"


def _shape(directive: Directive) -> Iterator[str]:
    shape = directive.word("type") or "complete"
    if shape == "complete" and "factor" in directive.options:
        yield "factor goes with block and cyclic only"
    if shape in ("block", "cyclic") and "factor" not in directive.options:
        yield f"{shape} wants a factor"


def _pair(
    directive: Directive, kind: str, implementations: Mapping[str, tuple[str, ...]]
) -> Iterator[str]:
    implementation = directive.word("impl")
    legal = implementations.get(kind)
    known = {name for names in implementations.values() for name in names}
    if implementation in known and legal and implementation not in legal:
        yield f"{kind} has no implementation {implementation}: use one of {', '.join(legal)}"
    latency, latest = directive.number("latency"), MAXIMUM_LATENCY[directive.name]
    if latency is not None and latency > latest:
        yield f"latency={latency} is above the longest, {latest}"


def _interface(directive: Directive) -> Iterator[str]:
    mode, port = directive.word("mode"), directive.text("port")
    if mode.startswith("ap_ctrl_") and port != "return":
        yield f"mode {mode} is for port=return only"
    if port == "return" and mode not in ("", "s_axilite") and not mode.startswith("ap_ctrl_"):
        yield f"mode {mode} is not for port=return"
