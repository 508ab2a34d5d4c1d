"""C simulation: the files of a generated project, compiled for this machine and called from here.

The unit sources, parameters and kernels are compiled as they are, against the open headers of
``ap_int`` (or a Vitis installation's) and stand-ins for the others, and linked to a shared library.
"""

from __future__ import annotations

import ctypes
import json
import threading
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lutloom.codegen.folding import DEFAULT_DEPTH
from lutloom.codegen.packing import pack_frames, unpack_frames
from lutloom.codegen.render import render
from lutloom.codegen.units import MOST_PROCESSES
from lutloom.core.types import IntType, TensorType
from lutloom.sim.reference import check
from lutloom.sim.shared_library import load_library
from lutloom.sim.threads import threaded
from lutloom.sim.toolchain import CSimError, find_ap_headers, find_compiler

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lutloom.core.types import IntArray

_FLAGS = ("-std=c++14", "-O1", "-fPIC", "-fvisibility=hidden", "-w", "-pthread")
_MESSAGE_BYTES = 4096


@dataclass(frozen=True)
class Port:
    """The design's input or output: its words on the AXI stream."""

    name: str
    tensor: TensorType
    bits: int
    beats: int


@dataclass(frozen=True)
class TracedStream:
    """A stream inside the design that carries ``value``, in words of ``bits`` bits."""

    identifier: str
    value: str
    tensor: TensorType
    bits: int


@dataclass(frozen=True, eq=False)
class CSim:
    """A compiled design."""

    input: Port
    output: Port
    streams: tuple[TracedStream, ...]
    library: Path
    _entry: ctypes.CDLL = field(repr=False)
    _lock: threading.Lock = field(repr=False, default_factory=threading.Lock)

    def run(self, inputs: IntArray, *, batch: int | None = None) -> IntArray:
        """Return the outputs ``[n, *shape]`` for the values ``inputs [n, *shape]``.

        The images pass the AXI streams in batches of ``batch`` (all in one by default): the
        last transfer of a batch carries TLAST. Whether TLAST, keep and strb come out as they
        should is checked.

        Raises ``RangeError`` for inputs outside the input's type, and ``CSimError`` where the
        design misbehaves: a deadlock of bounded FIFOs, words too many or too few, a wrong TLAST.
        """
        outputs, _ = self._run(inputs, batch, is_tracing=False)
        return outputs

    def trace(self, inputs: IntArray, *, batch: int | None = None) -> dict[str, IntArray]:
        """Return every value between processes by its name, ``[n, *shape]`` each.

        The input and the output are among them. Raises as ``run`` does.
        """
        outputs, traces = self._run(inputs, batch, is_tracing=True)
        return {self.input.name: inputs, **traces, self.output.name: outputs}

    def _run(
        self, inputs: IntArray, batch: int | None, *, is_tracing: bool
    ) -> tuple[IntArray, dict[str, IntArray]]:
        import numpy as np

        if batch is not None and batch < 1:
            raise CSimError(f"a batch should hold at least 1 image, not {batch}")
        values = check(self.input.name, inputs, self.input.tensor)
        images = values.shape[0]
        words = pack_frames(values, self.input.tensor.element, self.input.bits)
        pieces = -(-self.output.bits // 64)
        result = np.zeros((images, self.output.beats, pieces), np.uint64)
        last = np.zeros(images, np.uint8)
        last[-1:] = 1
        if batch is not None:
            last[batch - 1 :: batch] = 1
        message = ctypes.create_string_buffer(_MESSAGE_BYTES)
        with self._lock:
            failed = self._entry.lutloom_run(
                words.ctypes.data,
                last.ctypes.data,
                images,
                result.ctypes.data,
                int(is_tracing),
                message,
                _MESSAGE_BYTES,
            )
            if failed:
                raise CSimError(f"C simulation: {message.value.decode(errors='replace')}")
            traces = self._traces(images) if is_tracing else {}
        tensor = self.output.tensor
        return unpack_frames(result, tensor.element, tensor.shape, self.output.bits), traces

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
            traces[stream.value] = unpack_frames(words, element, shape, stream.bits)
        return traces


def build(
    project: Path,
    *,
    bounded: bool = False,
    cache: Path | None = None,
    compiler: str | None = None,
) -> CSim:
    """Compile the project that ``write_project`` wrote to ``project``, and load it.

    With ``bounded`` every process runs in a thread of its own and FIFOs block at the depths of
    the plan; a deadlock is an error that names the FIFOs. ``cache`` is a directory that keeps
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
        _sources(hls, description, bounded=bounded),
        [*_FLAGS, *includes, "-isystem", str(headers)],
        compiler=command,
        cache=cache,
        key=_key(hls, (str(headers), *_FLAGS)),
    )
    return _design(entry, library, description)


def _read_description(project: Path) -> Mapping[str, Any]:
    path = project / "hls" / "design.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CSimError(f"{project} is no project: {path} is missing") from error
    except (OSError, ValueError) as error:
        raise CSimError(f"{path} can't be read: {error}") from error
    if not isinstance(document, dict) or document.get("format") != 1:
        raise CSimError(f"{path} is of another format than this version reads: compile anew")
    return document


def _sources(hls: Path, description: Mapping[str, Any], *, bounded: bool) -> dict[str, str]:
    """Return the text of every file that is compiled by its name: units, and the driver."""
    units = description["units"]
    sources = {}
    for unit in units:
        text = (hls / "src" / f"{unit['top']}.cpp").read_text(encoding="utf-8")
        sources[f"{unit['top']}.cpp"] = threaded(text) if bounded else text
    sources["driver.cpp"] = render(
        "csim/driver.cpp.j2", units=units, bounded=bounded, depth=DEFAULT_DEPTH
    )
    if bounded:
        define = "#define LUTLOOM_BOUNDED\n"
        sources = {name: define + text for name, text in sources.items()}
    if sum(len(unit["processes"]) for unit in units) <= MOST_PROCESSES:
        # One compilation of the headers of ap_int instead of several: they are most of it.
        return {"design.cpp": "".join(sources.values())}
    return sources


def _key(hls: Path, settings: Sequence[str]) -> str:
    """Return the digest of ``settings``, and of all that the sources include."""
    state = blake2b("\0".join(settings).encode(), digest_size=16)
    for path in sorted(p for p in hls.rglob("*") if p.suffix in (".hpp", ".h")):
        state.update(path.relative_to(hls).as_posix().encode() + b"\0" + path.read_bytes())
    return state.hexdigest()


def _design(entry: ctypes.CDLL, library: Path, description: Mapping[str, Any]) -> CSim:
    pointer, number = ctypes.c_void_p, ctypes.c_uint64
    entry.lutloom_run.argtypes = [
        pointer, pointer, number, pointer, ctypes.c_int, ctypes.c_char_p, number,
    ]  # fmt: skip
    entry.lutloom_run.restype = ctypes.c_int
    entry.lutloom_trace_size.argtypes = [ctypes.c_char_p]
    entry.lutloom_trace_size.restype = number
    entry.lutloom_trace_copy.argtypes = [ctypes.c_char_p, pointer]
    entry.lutloom_trace_copy.restype = None
    first, final = description["units"][0], description["units"][-1]
    streams = tuple(
        TracedStream(s["identifier"], s["value"], _tensor(s), s["bits"])
        for s in description["streams"]
    )
    return CSim(
        _port(description["input"], first["in_bits"], first["in_beats"]),
        _port(description["output"], final["out_bits"], final["out_beats"]),
        streams,
        library,
        entry,
    )


def _port(entry: Mapping[str, Any], bits: int, beats: int) -> Port:
    return Port(entry["name"], _tensor(entry), bits, beats)


def _tensor(entry: Mapping[str, Any]) -> TensorType:
    return TensorType(IntType(*entry["type"]), tuple(entry["shape"]))


__all__ = ["CSim", "CSimError", "Port", "TracedStream", "build"]
