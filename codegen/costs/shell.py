"""What surrounds a design on a board: a DMA for each stream, and what a platform holds already.

None of these figures is calibrated: the shell itself comes in a later version.

- ``zynq``: a DMA channel for each stream with a buffer of 512 words, its way to the memory port,
  and once the registers' bus and the reset. The product guides (PG021, PG247) publish no figures,
  but designs of FINN that were synthesized do, for one stream in and one out: on a Pynq-Z2
  (PozhilanKarthikeyan/Bharath_AI_SOC_Challenge_Submission, 2022.2) both channels take 3,172 look-up
  tables, 4,601 flip-flops and 3 block RAMs, what is around them 4,399 and 5,414; with less wide
  streams (akhilvasan/finn_cybsec) 2,087, 3,041 and 2, and 4,334 and 5,293.
- ``vitis``: what ``platforminfo`` says is left of a card with the same platform as ours, DFX-2RP
  with XDMA, is published for the U200 (UG1702 2025.2, "Resource Availability"): half of one of its
  three regions is taken. The U250's and U55C's are taken to be as large. On top of that the same
  DMA channels.
- ``none``: nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lutloom.boards.board import Shell
from lutloom.codegen.costs.resources import Confidence, Confidences, Cost, Resources
from lutloom.codegen.fifo_memory import block_rams

if TYPE_CHECKING:
    from lutloom.boards.board import Board

_GUESSED = Confidences(*[Confidence.UNCALIBRATED] * 5)

# Of the U200's 1,182,240 look-up tables, 2,364,480 flip-flops, 2,160 block RAMs of 36 Kbit, 960
# UltraRAMs and 6,840 DSP slices (DS962) are left 979,040, 1,958,080, 1,860, 800 and 5,880.
_PLATFORM = Resources(lut=203_200, ff=406_400, bram18=600, uram=160, dsp=960)

_FIXED = Resources(lut=2400, ff=3000)
# A channel, and what it adds to the interconnect.
_CHANNEL = Resources(lut=1500 + 1000, ff=2100 + 1200)
_BURST = 512


def shell_cost(board: Board, streams: int, word_bits: int) -> Cost:
    """Return what is on ``board`` beside a design with so many inputs and outputs.

    ``word_bits`` is the width of their AXI streams.
    """
    if board.shell is Shell.NONE:
        return Cost()
    each = _CHANNEL + Resources(bram18=block_rams(word_bits, _BURST))
    there = _FIXED if board.shell is Shell.ZYNQ else _PLATFORM
    return Cost(there + each * streams, _GUESSED)
