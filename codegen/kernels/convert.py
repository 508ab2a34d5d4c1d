"""Width converters, which belong to edges: which one leads from words of one width to another."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd


@dataclass(frozen=True)
class Converter:
    """A converter between words of ``in_bits`` and ``out_bits`` bits, a frame at a time.

    ``kernel`` is ``narrow`` where one input word is several output words, ``widen`` where
    several are one, else ``gearbox``. ``widest`` is its shift register in bits.
    """

    kernel: str
    in_bits: int
    out_bits: int
    frame_bits: int
    widest: int

    @property
    def cycles(self) -> int:
        """Clock cycles a frame, up to a constant."""
        ins = -(-self.frame_bits // self.in_bits)
        outs = -(-self.frame_bits // self.out_bits)
        if self.kernel == "widen":
            return outs * (self.out_bits // self.in_bits)
        if self.in_bits > self.out_bits:
            return outs
        return ins + outs - ((ins - 1) * self.in_bits // self.out_bits + 1)


def converter(in_bits: int, out_bits: int, frame_bits: int) -> Converter | None:
    """Return the converter from words of ``in_bits`` to words of ``out_bits``; None if equal."""
    if in_bits == out_bits:
        return None
    widest = max(in_bits, out_bits)
    if in_bits % out_bits == 0:
        return Converter("narrow", in_bits, out_bits, frame_bits, widest)
    if out_bits % in_bits == 0 and frame_bits % in_bits == 0:
        return Converter("widen", in_bits, out_bits, frame_bits, widest)
    register = in_bits + out_bits - gcd(in_bits, out_bits)
    return Converter("gearbox", in_bits, out_bits, frame_bits, register)
