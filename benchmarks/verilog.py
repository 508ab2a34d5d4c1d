"""Verilog of the parts that processes are built from: what ``calibration.py`` has synthesized.

One module for each part, in the same structure as the C++ has it: trees of sums, each as wide as
its sum has to be. Every sum is a module of its own, which becomes a carry chain before it is
dissolved: yosys would make compressor trees of single full adders of them, two look-up tables each,
which are 60 % larger for popcounts and 44 % for trees.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lutloom.codegen.costs.logic import popcount_split
from lutloom.codegen.costs.parts import (
    Adder,
    AdderTree,
    Comparator,
    Counter,
    DotProduct,
    FifoBuffer,
    Multiplexer,
    Multiplier,
    Negation,
    Popcount,
    Ram,
    Rom,
    ShiftRegister,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lutloom.codegen.costs.parts import Single


CHAINS = "".join(
    f"""(* is_chain *) module {name} #(parameter A = 1, B = 1, Y = 1)
  (input signed [A-1:0] a, input signed [B-1:0] b, output signed [Y-1:0] y);
  assign y = a {sign} b;
endmodule
"""
    for name, sign in (("add", "+"), ("subtract", "-"))
)
"""What stands before the modules of parts: sums and differences."""


@dataclass(frozen=True)
class Number:
    """A signed number: how it is written, and its bits."""

    text: str
    bits: int


@dataclass
class Module:
    """A module as it is written down."""

    name: str
    ports: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def take(self, name: str, bits: int) -> Number:
        """Return a new input."""
        self.ports.append(f"input signed [{bits - 1}:0] {name}")
        return Number(name, bits)

    def give(self, number: Number, bits: int | None = None) -> None:
        """Make ``number`` an output."""
        name = f"y{sum(port.startswith('output') for port in self.ports)}"
        self.ports.append(f"output signed [{(bits or number.bits) - 1}:0] {name}")
        self.lines.append(f"assign {name} = {number.text};")

    def name_it(self, expression: str, bits: int) -> Number:
        """Return ``expression`` as a number of ``bits`` bits."""
        name = f"n{len(self.lines)}"
        self.lines.append(f"wire signed [{bits - 1}:0] {name} = {expression};")
        return Number(name, bits)

    def unsigned(self, expression: str, bits: int) -> Number:
        """Return an expression that isn't signed, of ``bits`` bits, as a number."""
        return self.name_it(f"{{1'b0, {expression}}}", bits + 1)

    def add(self, left: Number, right: Number, bits: int, *, subtracts: bool = False) -> Number:
        """Return the sum of two numbers, or their difference."""
        name = f"n{len(self.lines)}"
        module = "subtract" if subtracts else "add"
        self.lines.append(
            f"wire signed [{bits - 1}:0] {name}; {module} #(.A({left.bits}), .B({right.bits}),"
            f" .Y({bits})) u_{name} (.a({left.text}), .b({right.text}), .y({name}));"
        )
        return Number(name, bits)

    def tree(self, terms: Sequence[Number]) -> Number:
        """Return the sum of numbers, by halves."""
        if len(terms) == 1:
            return terms[0]
        half = len(terms) // 2
        left, right = self.tree(terms[:half]), self.tree(terms[half:])
        widest = max(term.bits for term in terms)
        return self.add(left, right, widest + (len(terms) - 1).bit_length())

    def give_unsigned(self, expression: str, bits: int) -> None:
        """Make an expression that isn't signed an output of ``bits`` bits."""
        name = f"y{sum(port.startswith('output') for port in self.ports)}"
        self.ports.append(f"output [{bits - 1}:0] {name}")
        self.lines.append(f"assign {name} = {expression};")

    def text(self) -> str:
        """Return the module, which keeps its border when modules are dissolved."""
        body = "\n  ".join(self.lines)
        return (
            f"(* keep_hierarchy *) module {self.name} ({', '.join(self.ports)});\n"
            f"  {body}\nendmodule\n"
        )


def module_of(part: Single, name: str, dice: random.Random) -> str:
    """Return the Verilog of ``part``. ``dice`` choose what constants are.

    Raises ``ValueError`` for a part that has no Verilog.
    """
    module = Module(name)
    match part:
        case Counter():
            _counter(module, part)
        case ShiftRegister():
            _shift_register(module, part)
        case Ram():
            _ram(module, part)
        case FifoBuffer():
            _fifo(module, part)
        case Rom() | Multiplexer():
            _selection(module, part, dice)
        case _:
            _arithmetic(module, part, dice)
    return module.text()


def _arithmetic(module: Module, part: Single, dice: random.Random) -> None:
    match part:
        case Popcount():
            _popcount(module, part)
        case AdderTree(terms, bits):
            module.give(module.tree([module.take(f"x{i}", bits) for i in range(terms)]))
        case Adder(bits):
            module.give(module.add(module.take("a", bits), module.take("b", bits), bits))
        case Negation(bits):
            module.give(_negation(module, module.take("a", bits), module.take("s", 1).text))
        case Multiplier():
            _multiplier(module, part, dice)
        case DotProduct():
            module.give(_dot_product(module, part))
        case Comparator(bits, is_constant):
            other = dice.randrange(-(1 << bits - 1) + 1, 1 << bits - 1) if is_constant else None
            right = module.take("b", bits).text if other is None else str(other)
            module.give_unsigned(f"{module.take('a', bits).text} >= {right}", 1)
        case _:
            raise ValueError(f"{part} has no Verilog")


def _selection(module: Module, part: Rom | Multiplexer, dice: random.Random) -> None:
    """Write one of several words down, which are constants or not."""
    bits, ways = part.bits, part.words if isinstance(part, Rom) else part.ways
    module.ports.append(f"input [{max((ways - 1).bit_length(), 1) - 1}:0] at")
    if not isinstance(part, Rom):
        module.ports.append(f"input [{ways * bits - 1}:0] words")
    columns = []
    for bit in range(bits):
        if isinstance(part, Rom):
            column = f"{ways}'h{dice.getrandbits(ways):x}"
        else:
            column = ", ".join(f"words[{way * bits + bit}]" for way in reversed(range(ways)))
        module.lines.append(f"wire [{ways - 1}:0] column{bit} = {{{column}}};")
        columns.append(f"column{bit}[at]")
    module.give_unsigned(f"{{{', '.join(reversed(columns))}}}", bits)


def _popcount(module: Module, part: Popcount) -> None:
    ones = module.take("x", part.bits).text
    if part.has_xnor:
        other = module.take("w", part.bits).text
        ones = module.name_it(f"~({ones} ^ {other})", part.bits).text
    module.give(_ones(module, ones, 0, part.bits), part.bits.bit_length())


def _ones(module: Module, word: str, first: int, count: int) -> Number:
    """Return how many of ``count`` bits of ``word`` are set: six at once, more by parts."""
    bits = count.bit_length()
    if count <= 6:
        ones = " + ".join(f"{word}[{first + place}]" for place in range(count))
        return module.unsigned(f"{bits}'d0 + {ones}", bits)
    split = popcount_split(count)
    low = _ones(module, word, first, split)
    high = _ones(module, word, first + split, count - split)
    return module.add(low, high, bits + 1)


def _negation(module: Module, number: Number, sign: str) -> Number:
    """Return a number or its negative: bits inverted, and one added."""
    wide = module.name_it(f"{number.text} ^ {{{number.bits}{{{sign}}}}}", number.bits)
    one = module.unsigned(sign, 1)
    return module.add(wide, one, number.bits + 1)


def _multiplier(module: Module, part: Multiplier, dice: random.Random) -> None:
    left = module.take("a", part.left)
    if not part.is_constant:
        module.give(_product(module, left, module.take("b", part.right)))
        return
    digits = signed_digits(_constant(part.right, dice))
    product = _multiple(module, left, [(at, digit) for at, digit in enumerate(digits) if digit])
    module.give(product)


def _product(module: Module, left: Number, right: Number) -> Number:
    """Return a product: a row for each bit on the right, the last one negative."""
    nothing = f"{left.bits}'sd0"
    rows = [
        module.name_it(f"{right.text}[{row}] ? {left.text} : {nothing}", left.bits)
        for row in range(right.bits)
    ]
    found = _rows(module, rows, ends=True)
    return module.name_it(found.text, left.bits + right.bits)


def _rows(module: Module, rows: Sequence[Number], *, ends: bool) -> Number:
    """Return the sum of rows, each worth twice the one before; at the end one is subtracted."""
    if len(rows) == 1:
        return rows[0]
    half = len(rows) // 2
    low = _rows(module, rows[:half], ends=False)
    raised = _raised(module, _rows(module, rows[half:], ends=ends), half)
    bits = max(low.bits, raised.bits) + 1
    return module.add(low, raised, bits, subtracts=ends and half == len(rows) - 1)


def _raised(module: Module, number: Number, places: int) -> Number:
    zeros = f", {places}'b0" if places else ""
    return module.name_it(f"{{{number.text}{zeros}}}", number.bits + places)


def signed_digits(number: int) -> list[int]:
    """Return digits of -1, 0 and 1, the lowest first, of which no two neighbours differ from 0."""
    digits = []
    while number:
        digit = 2 - number % 4 if number % 2 else 0
        digits.append(digit)
        number = (number - digit) // 2
    return digits


def _multiple(module: Module, number: Number, digits: Sequence[tuple[int, int]]) -> Number:
    """Return a multiple of ``number``: a sum of it at the places of its digits.

    The first digit of a part that is added says whether it is subtracted, so all but those of a
    number that begins with -1 are sums of positive ones and differences.
    """
    (first, sign), count = digits[0], len(digits)
    if count == 1:
        return _raised(module, number, first)
    half = count // 2
    low = _multiple(module, number, digits[:half])
    high = _multiple(module, number, digits[half:])
    subtracts = sign != digits[half][1]
    return module.add(low, high, max(low.bits, high.bits) + 1, subtracts=subtracts)


def _constant(bits: int, dice: random.Random) -> int:
    """Return a number that needs ``bits`` bits with its sign."""
    return dice.randrange(max((1 << bits) >> 2, 1), max((1 << bits) >> 1, 2))


def _dot_product(module: Module, part: DotProduct) -> Number:
    products = []
    for index in range(part.terms):
        left, right = module.take(f"a{index}", part.left), module.take(f"b{index}", part.right)
        if part.right == 1:
            products.append(_negation(module, left, right.text))
        elif part.left == 1:
            some = f"{left.text} ? {right.text} : {part.right}'sd0"
            products.append(module.name_it(some, part.right))
        else:
            products.append(_product(module, left, right))
    return module.tree(products)


def _counter(module: Module, part: Counter) -> None:
    bits, last = max((part.states - 1).bit_length(), 1), part.states - 1
    module.ports += ["input clk", "input reset", "input go"]
    module.lines += [
        f"reg [{bits - 1}:0] at;",
        f"wire is_last = at == {last};",
        "always @(posedge clk) if (reset) at <= 0; else if (go) at <= is_last ? 0 : at + 1;",
    ]
    module.give_unsigned("is_last", 1)
    module.give_unsigned("at", bits)


def _shift_register(module: Module, part: ShiftRegister) -> None:
    module.ports += ["input clk", "input go", f"input [{part.bits - 1}:0] d"]
    _shifts(module, part.depth, part.bits, "go", str(part.depth - 1))


def _shifts(module: Module, depth: int, bits: int, go: str, at: str) -> None:
    """Write a shift register for each bit down, and give the word at a place."""
    for bit in range(bits):
        moved = f"{{s{bit}[{depth - 2}:0], d[{bit}]}}" if depth > 1 else f"d[{bit}]"
        module.lines.append(
            f"reg [{depth - 1}:0] s{bit}; always @(posedge clk) if ({go}) s{bit} <= {moved};"
        )
    module.give_unsigned(f"{{{', '.join(f's{bit}[{at}]' for bit in reversed(range(bits)))}}}", bits)


def _ram(module: Module, part: Ram) -> None:
    address = f"[{max((part.words - 1).bit_length(), 1) - 1}:0]"
    word = f"[{part.bits - 1}:0]"
    module.ports += ["input clk", "input write", f"input {word} d"]
    module.ports += [f"input {address} to", f"input {address} from"]
    module.lines += [
        f'(* ram_style = "distributed" *) reg {word} words [0:{part.words - 1}];',
        f"reg {word} found;",
        "always @(posedge clk) begin if (write) words[to] <= d; found <= words[from]; end",
    ]
    module.give_unsigned("found", part.bits)


def _fifo(module: Module, part: FifoBuffer) -> None:
    """Write a FIFO of a shift register down: the oldest word is where the pointer says."""
    pointer, address = part.depth.bit_length(), max((part.depth - 1).bit_length(), 1)
    module.ports += ["input clk", "input reset", "input write", "input read"]
    module.ports.append(f"input [{part.bits - 1}:0] d")
    module.lines += [
        f"reg [{pointer - 1}:0] count; reg has_word, has_room;",
        "wire pushes = write & has_room, pops = read & has_word;",
        "always @(posedge clk) if (reset) begin count <= 0; has_word <= 0; has_room <= 1; end",
        "else if (pushes & ~pops) begin count <= count + 1; has_word <= 1;",
        f"  has_room <= count != {part.depth - 1}; end",
        "else if (pops & ~pushes) begin count <= count - 1; has_room <= 1;",
        "  has_word <= count != 1; end",
        f"wire [{address - 1}:0] oldest = count - 1;",
    ]
    _shifts(module, part.depth, part.bits, "pushes", "oldest")
    module.give_unsigned("has_word", 1)
    module.give_unsigned("has_room", 1)
