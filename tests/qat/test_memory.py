"""What a step frees is there for the next one, and is given back behind training."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

pytest.importorskip("resource", reason="needs getrusage")
pytest.importorskip("torch", reason="needs torch")

import resource

import torch

from lutloom.qat.memory import freed_memory_kept

PAGES = 10_000
"""Of a tensor, of 4 KiB each: more than what glibc keeps by itself."""

needs_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")


def faults() -> int:
    """Return how many pages this process has been given so far."""
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)


def step() -> None:
    tensors = [torch.ones(PAGES * 1024) for _ in range(3)]
    assert all(float(tensor[-1]) == 1 for tensor in tensors)


@needs_glibc
def test_steps_behind_the_first_few_ask_for_no_more_pages() -> None:
    with freed_memory_kept():
        # until the holes fit
        for _ in range(10):
            step()
        before = faults()
        for _ in range(5):
            step()
        assert faults() - before < PAGES


@needs_glibc
def test_memory_is_given_back_behind_the_block() -> None:
    with freed_memory_kept():
        step()
        kept = resident()
    assert resident() < kept - 2 * PAGES


def resident() -> int:
    """Return how many pages of memory this process occupies."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])


def test_an_error_passes_through() -> None:
    with pytest.raises(ValueError, match=r"^passes$"), freed_memory_kept():
        raise ValueError("passes")
