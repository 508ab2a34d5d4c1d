"""Which vector instructions the engine's kernels are compiled for."""

from __future__ import annotations

import functools
import platform
from enum import Enum
from pathlib import Path

_X86 = {"x86_64", "amd64"}
_AVX2 = ("avx2", "fma", "bmi1", "bmi2", "popcnt")
_AVX512 = (*_AVX2, "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd")
_VNNI = (*_AVX512, "avx512_vnni")
_POPCOUNT = (*_VNNI, "avx512_vpopcntdq", "avx512_bitalg", "avx512vbmi")
# Where the compiler's option is called otherwise than the kernel's flag.
_OPTIONS = {"bmi1": "bmi", **{flag: flag.replace("_", "") for flag in _POPCOUNT if "_" in flag}}


class InstructionSet(Enum):
    """From the narrowest to the widest; every one computes the same integers."""

    PORTABLE = "portable"
    AVX2 = "avx2"
    AVX512 = "avx512"
    VNNI = "vnni"
    """With dot products of bytes, as from Cascade Lake on."""
    POPCOUNT = "popcount"
    """With a population count of vectors too, as from Ice Lake on."""

    @property
    def features(self) -> tuple[str, ...]:
        """What a processor has to offer, as Linux names it."""
        return {
            InstructionSet.PORTABLE: (),
            InstructionSet.AVX2: _AVX2,
            InstructionSet.AVX512: _AVX512,
            InstructionSet.VNNI: _VNNI,
            InstructionSet.POPCOUNT: _POPCOUNT,
        }[self]

    @property
    def options(self) -> tuple[str, ...]:
        """The options that make a compiler use it."""
        return tuple(f"-m{_OPTIONS.get(feature, feature)}" for feature in self.features)

    @property
    def lanes(self) -> int:
        """Bits of a register: images that the bit-sliced kernels compute at once."""
        return {InstructionSet.PORTABLE: 64, InstructionSet.AVX2: 256}.get(self, 512)


@functools.cache
def available() -> tuple[InstructionSet, ...]:
    """Return what this machine can run, from the narrowest to the widest."""
    flags = _processor_flags()
    return tuple(isa for isa in InstructionSet if flags.issuperset(isa.features))


def _processor_flags() -> frozenset[str]:
    if platform.machine().lower() not in _X86:
        return frozenset()
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:  # no Linux: what every processor of the family has
        return frozenset()
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "flags":
            return frozenset(value.split())
    return frozenset()
