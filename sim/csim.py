"""C simulation: the files of a generated project, compiled for this machine and called from here.

The unit sources, parameters and kernels are compiled as they are, against the open headers of
``ap_int`` (or a Vitis installation's) and stand-ins for the others, and linked to a shared library.
"""

from __future__ import annotations

import ctypes
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from lutloom.codegen.design import Fifo
from lutloom.codegen.packing import pack_frames, unpack_frames
from lutloom.codegen.padded_ops import Runs
from lutloom.codegen.project import FORMAT
from lutloom.core.plan import FifoMemory
from lutloom.core.types import IntType, TensorType
from lutloom.sim.csim_sources import digest, sources_of
from lutloom.sim.deadlock import DeadlockError, Shallow, Wait, describe
from lutloom.sim.reference import check
from lutloom.sim.shared_library import load_library
from lutloom.sim.toolchain import CSimError, find_ap_headers, find_compiler

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import IntArray

    Values: TypeAlias = Mapping[str, IntArray]
    Batch: TypeAlias = int | Mapping[str, int] | None

_FLAGS = ("-std=c++14", "-O1", "-fPIC", "-fvisibility=hidden", "-w")
_MESSAGE_BYTES = 2**16


@dataclass(frozen=True)
class Port:
    """An input or output of the design: its words on the AXI stream.

    ``value`` is the graph's name for it, ``name`` the model's; ``lead`` is the value of the input
    whose TLAST it carries.
    """

    value: str
    name: str
    tensor: TensorType
    bits: int
    beats: int
    lead: str


@dataclass(frozen=True)
class TracedStream:
    """A stream inside the design that carries ``value``, in words of ``bits`` bits.

    ``runs`` are those of a value in ``tensor`` that has channels which the plan adds.
    """

    identifier: str
    value: str
    tensor: TensorType
    bits: int
    runs: Runs | None


@dataclass(frozen=True, eq=False)
class CSim:
    """A compiled design: its FIFOs, and its processes' names by those of their functions."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    streams: tuple[TracedStream, ...]
    library: Path
    is_bounded: bool
    fifos: tuple[Fifo, ...] = field(repr=False)
    processes: Mapping[str, str] = field(repr=False)
    _entry: ctypes.CDLL = field(repr=False)
    _lock: threading.Lock = field(repr=False, default_factory=threading.Lock)

    def run(
        self, inputs: IntArray | Values, *, batch: Batch = None, adversary: int | None = None
    ) -> IntArray:
        """Return what ``run_all`` does of a design with one output."""
        (output,) = self.run_all(inputs, batch=batch, adversary=adversary).values()
        return output

    def run_all(
        self, inputs: IntArray | Values, *, batch: Batch = None, adversary: int | None = None
    ) -> dict[str, IntArray]:
        """Return the outputs ``[n, *shape]``, by name, for the values ``inputs [n, *shape]``.

        Several inputs are given by the graph's names. The images pass the AXI streams in batches of
        ``batch`` (all in one by default), or of as many for each input: the last transfer of a
        batch carries TLAST. Whether TLAST, keep and strb come out as they should is checked. An
        ``adversary``, by its seed, makes the worst of bounded FIFOs: every process keeps its last
        results, as many as its pipeline holds, until more words come, and waits at random.

        Raises ``RangeError`` for inputs outside the input's type, ``DeadlockError`` where FIFOs
        are not deep enough, and ``CSimError`` where the design misbehaves otherwise: words too
        many or too few, a wrong TLAST.
        """
        outputs, _ = self._run(self._by_name(inputs), batch, adversary, is_tracing=False)
        return outputs

    def trace(self, inputs: IntArray | Values, *, batch: Batch = None) -> dict[str, IntArray]:
        """Return every value between processes by its name, ``[n, *shape]`` each.

        The inputs and the outputs are among them. Takes and raises what ``run_all`` does.
        """
        given = self._by_name(inputs)
        outputs, traces = self._run(given, batch, None, is_tracing=True)
        return {**given, **traces, **outputs}

    def _by_name(self, inputs: IntArray | Values) -> Values:
        given = inputs if isinstance(inputs, Mapping) else {self.inputs[0].value: inputs}
        names = [port.value for port in self.inputs]
        if set(given) != set(names):
            raise CSimError(f"the design's inputs are {names}, and there is data for {[*given]}")
        if len({len(values) for values in given.values()}) > 1:
            raise CSimError("there should be as many images for each input of the design")
        return {name: given[name] for name in names}

    def _run(
        self, inputs: Values, batch: Batch, adversary: int | None, *, is_tracing: bool
    ) -> tuple[dict[str, IntArray], dict[str, IntArray]]:
        import numpy as np

        if adversary is not None and not self.is_bounded:
            raise CSimError("an adversary needs bounded FIFOs: build the simulation with them")
        images = len(inputs[self.inputs[0].value])
        words, last = [], []
        for port in self.inputs:
            values = check(port.value, inputs[port.value], port.tensor)
            words.append(pack_frames(values, port.tensor.element, port.bits))
            size = batch if batch is None or isinstance(batch, int) else batch[port.value]
            last.append(_ends(images, size))
        results = [
            np.zeros((images, port.beats, -(-port.bits // 64)), np.uint64) for port in self.outputs
        ]
        message = ctypes.create_string_buffer(_MESSAGE_BYTES)
        with self._lock:
            failed = self._entry.lutloom_run(
                _pointers(words),
                _pointers(last),
                images,
                _pointers(results),
                int(is_tracing),
                -1 if adversary is None else adversary % 2**31,
                message,
                _MESSAGE_BYTES,
            )
            if failed:
                raise self._error(message.value.decode(errors="replace"))
            traces = self._traces(images) if is_tracing else {}
        outputs = {
            port.value: unpack_frames(result, port.tensor.element, port.tensor.shape, port.bits)
            for port, result in zip(self.outputs, results, strict=True)
        }
        return outputs, traces

    def _error(self, message: str) -> CSimError | DeadlockError:
        kind, *lines = message.splitlines()
        if kind != "deadlock":
            return CSimError(f"C simulation: {message}")
        shallow, waits = [], []
        for line in lines:
            what, *facts = line.split("\t")
            if what == "wait":
                process, state, fifo = facts
                waits.append(Wait(self.processes.get(process, process), fifo, state == "full"))
            else:
                name, number, *counts = facts
                held, depth, needed = map(int, counts)
                planned = self.fifos[int(number)] if int(number) >= 0 else None
                shallow.append(Shallow.of(planned, name, held=held, depth=depth, needed=needed))
        return DeadlockError(f"C simulation: deadlock: {describe(shallow, waits)}")

    def _traces(self, images: int) -> dict[str, IntArray]:
        import numpy as np

        traces: dict[str, IntArray] = {}
        for stream in self.streams:
            name = stream.identifier.encode()
            flat: NDArray[np.uint64] = np.zeros(self._entry.lutloom_trace_size(name), np.uint64)
            self._entry.lutloom_trace_copy(name, flat.ctypes.data)
            element, shape = stream.tensor.element, stream.tensor.shape
            beats = -(-stream.tensor.size * element.bits // stream.bits)
            words = flat.reshape(images, beats, -(-stream.bits // 64))
            values = unpack_frames(words, element, shape, stream.bits)
            traces[stream.value] = values if stream.runs is None else stream.runs.real(values)
        return traces


def _ends(images: int, batch: int | None) -> NDArray[np.uint8]:
    """Return which of ``images`` end a batch: the last one does."""
    import numpy as np

    if batch is not None and batch < 1:
        raise CSimError(f"a batch should hold at least 1 image, not {batch}")
    last = np.zeros(images, np.uint8)
    last[-1:] = 1
    if batch is not None:
        last[batch - 1 :: batch] = 1
    return last


def _pointers(arrays: Sequence[NDArray[Any]]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))


def build(
    project: Path,
    *,
    bounded: bool = False,
    cache: Path | None = None,
    compiler: str | None = None,
) -> CSim:
    """Compile the project that ``write_project`` wrote to ``project``, and load it.

    With ``bounded`` processes run beside each other and FIFOs block at the depths of the plan; a
    deadlock is an error that says how deep they should be. ``cache`` is a directory that keeps
    compiled designs by their contents, safe to share; without it the library is temporary.
    ``compiler`` is the C++ compiler, by default ``$CXX``, g++, clang++ or c++.

    Raises ``CSimError`` where there is no project, no compiler or no headers, or where the
    compiler refuses the sources.
    """
    try:
        return _build(project, bounded=bounded, cache=cache, compiler=compiler)
    except (KeyError, TypeError, IndexError) as error:
        path = project / "hls" / "design.json"
        raise CSimError(f"{path} is damaged ({error!r}): compile the model again") from error
    except OSError as error:
        where = error.filename or "the compiled C++"
        reason = error.strerror or error
        raise CSimError(f"C simulation can't read or write {where}: {reason}") from error


def _build(project: Path, *, bounded: bool, cache: Path | None, compiler: str | None) -> CSim:
    description = _read_description(project)
    command = find_compiler(compiler)
    headers = find_ap_headers()
    hls = (project / "hls").resolve()
    includes = [f"-I{hls / 'csim'}", f"-I{hls / 'src'}", f"-I{hls / 'include'}"]
    entry, library = load_library(
        "csim",
        sources_of(hls, description, bounded=bounded),
        [*_FLAGS, *includes, "-isystem", str(headers)],
        compiler=command,
        cache=cache,
        key=digest(hls, (str(headers), *_FLAGS)),
    )
    return _design(entry, library, description, bounded=bounded)


def _read_description(project: Path) -> Mapping[str, Any]:
    path = project / "hls" / "design.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CSimError(f"{project} is no project: {path} is missing") from error
    except (OSError, ValueError) as error:
        raise CSimError(f"{path} can't be read: {error}") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise CSimError(f"{path} is of another format than this version reads: compile anew")
    return document


def _design(
    entry: ctypes.CDLL, library: Path, description: Mapping[str, Any], *, bounded: bool
) -> CSim:
    pointer, number = ctypes.c_void_p, ctypes.c_uint64
    entry.lutloom_run.argtypes = [
        pointer, pointer, number, pointer, ctypes.c_int, ctypes.c_int, ctypes.c_char_p, number,
    ]  # fmt: skip
    entry.lutloom_run.restype = ctypes.c_int
    entry.lutloom_trace_size.argtypes = [ctypes.c_char_p]
    entry.lutloom_trace_size.restype = number
    entry.lutloom_trace_copy.argtypes = [ctypes.c_char_p, pointer]
    entry.lutloom_trace_copy.restype = None
    units = description["units"]
    streams = tuple(
        TracedStream(s["identifier"], s["value"], _tensor(s), s["bits"], _runs(s))
        for s in description["streams"]
    )
    return CSim(
        tuple(map(_port, description["inputs"])),
        tuple(map(_port, description["outputs"])),
        streams,
        library,
        bounded,
        tuple(_fifo(fifo) for unit in units for fifo in unit["fifos"]),
        {p["identifier"]: p["name"] for unit in units for p in unit["processes"]},
        entry,
    )


def _port(entry: Mapping[str, Any]) -> Port:
    return Port(
        entry["value"],
        entry["name"],
        _tensor(entry),
        entry["bits"],
        entry["beats"],
        entry["tlast_of"],
    )


def _fifo(entry: Mapping[str, Any]) -> Fifo:
    memories = {memory.value: memory for memory in FifoMemory}
    return Fifo(**{**entry, "memory": memories[entry["memory"]]})


def _runs(entry: Mapping[str, Any]) -> Runs | None:
    return Runs(*entry["channels"]) if "channels" in entry else None


def _tensor(entry: Mapping[str, Any]) -> TensorType:
    return TensorType(IntType(*entry["type"]), tuple(entry["shape"]))


__all__ = ["CSim", "CSimError", "Port", "TracedStream", "build"]
