"""What to say of a design that stops: what is full, how deep it should be, who waits for whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lutloom.core.errors import LutloomError

if TYPE_CHECKING:
    from lutloom.codegen.design import Fifo


class DeadlockError(LutloomError, ValueError):
    """A design that stops, because FIFOs are not deep enough."""


@dataclass(frozen=True)
class Wait:
    """A process that waits: for room in a FIFO that is full, or for a word in an empty one."""

    process: str
    fifo: str
    is_full: bool


@dataclass(frozen=True)
class Shallow:
    """A FIFO that held ``held`` words where it should have held ``needed``; ``depth`` is its own.

    ``entry`` is what the plan should say of it, as ``(name, depth)``, if the plan has a say.
    """

    fifo: str
    held: int
    depth: int
    needed: int
    entry: tuple[str, int] | None

    @staticmethod
    def of(fifo: Fifo | None, name: str, *, held: int, depth: int, needed: int) -> Shallow:
        """Return what there is to say of ``fifo``, or of the FIFO ``name`` that is in no plan."""
        entry = None if fifo is None else (fifo.value, fifo.planned(needed))
        return Shallow(name, held, depth, needed, entry)


def describe(shallow: Sequence[Shallow], waits: Sequence[Wait]) -> str:
    """Return both in words: FIFOs that are not deep enough, and processes in a circle."""
    words = [*map(_describe_shallow, shallow), *map(_describe_wait, waits)]
    return "; ".join(words)


def circle(
    waits: Mapping[int, tuple[int, bool]], other_end: Callable[[int, bool], int | None]
) -> list[int]:
    """Return processes that wait for each other, in a circle; all that wait, if there is none.

    ``waits`` has for each process the FIFO that it waits for, and whether that is full;
    ``other_end`` returns the reader of a full FIFO and the writer of an empty one.
    """
    for start in waits:
        chain = [start]
        while True:
            following = other_end(*waits[chain[-1]])
            if following is None or following not in waits:
                break
            if following in chain:
                return chain[chain.index(following) :]
            chain.append(following)
    return list(waits)


def _describe_shallow(fifo: Shallow) -> str:
    text = f"{fifo.fifo} is full ({fifo.held} of {fifo.depth} words) and should hold {fifo.needed}"
    if fifo.entry is None:
        return text
    name, depth = fifo.entry
    return f"{text}: make '{name}' {depth} deep among the fifos of the plan"


def _describe_wait(wait: Wait) -> str:
    what = "room" if wait.is_full else "a word"
    return f"{wait.process} waits for {what} in {wait.fifo}"
