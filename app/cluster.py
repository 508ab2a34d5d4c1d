"""``simulate --dask``: the integers of a data set, computed by the workers of a Dask cluster.

``outputs = tails(workers(heads(inputs)))``: floats are computed here, and integers there. So a
cluster changes no bit, whatever machines it is made of: integers are the same on all of them.

A worker needs this version of lutloom, and no file: what it reads of the build comes to it. Shards
and the build's files are arguments of tasks, which the scheduler keeps until their results are
there; when a worker dies, another one gets them.
"""

from __future__ import annotations

import functools
import logging
import pkgutil
import tempfile
import threading
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

from lutloom import __version__
from lutloom.build import MANIFEST, PLAN, load_build
from lutloom.core.counts import counted
from lutloom.core.errors import LutloomError
from lutloom.core.network import save_network
from lutloom.extras import require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from distributed import Client, Future
    from numpy.typing import NDArray

    from lutloom.build import Build
    from lutloom.core.graph import Graph
    from lutloom.core.types import IntArray, TensorType
    from lutloom.engines import Engine, Runner

    Arrays: TypeAlias = Mapping[str, NDArray[Any]]
    Values: TypeAlias = Mapping[str, IntArray]
    Parcel: TypeAlias = tuple[tuple[str, bytes], ...]

_LOGGERS = ("distributed", "distributed.client")
_ANSWER_SECONDS = 10.0
_WORKERLESS_SECONDS = 60.0
_LOOK_SECONDS = 2.0
_SHARD_MACS, _SHARD_BYTES, _LANES = 2**35, 2**23, 512
# Shards that lie at a worker's threads, ready to begin, while others are computed.
_SHARDS_A_THREAD = 3


class ClusterError(LutloomError, RuntimeError):
    """A Dask cluster that does not answer, or can't compute."""

    has_lines: ClassVar[bool] = True  # a worker's compiler may be quoted


def shard_images(graph: Graph) -> int:
    """Return how many images the compiled engine should get at once: for some tenths of a second.

    So few bytes that they are soon there; and if they are many, whole registers of them.
    """
    from lutloom.inspection import layers_of
    from lutloom.sim.engine.storage import dense_storage

    ends = [graph.types[name] for name in (*graph.inputs, *graph.outputs)]
    each = sum(dense_storage(tensor.element).bytes_of(tensor) for tensor in ends)
    macs = sum(layer.macs for layer in layers_of(graph))
    images = min(_SHARD_MACS // max(macs, 1), _SHARD_BYTES // max(each, 1))
    return max(1, images - images % _LANES if images > _LANES else images)


@contextmanager
def cluster(
    address: str,
    build: Build,
    engine: Engine,
    *,
    seed: int = 0,
    threads: int | None = None,
    instructions: str | None = None,
) -> Iterator[Callable[[Iterable[Arrays]], Iterator[Arrays]]]:
    """Connect to the Dask scheduler at ``address``; yield the function that computes there.

    It takes shards of the model's inputs ``[N, ...]``, as many ahead as keep all workers busy, and
    yields the model's outputs for each of them in the same order, by their names. The options are
    those of ``lutloom.engines.computation``; a shard has one core by default, since workers compute
    as many shards at once as they have threads.

    Raises ``MissingExtraError`` without Dask, and ``ClusterError`` where no scheduler answers, no
    worker is there, or one has not this version of lutloom; the function also where workers die of
    a shard again and again, or the scheduler is lost.
    """
    require("dask", "dask", "distributed")
    with _connected(address) as connection:
        _check_workers(connection)
        network, kept = build.network, connection.submit(_kept, _parcel(build, engine))
        inputs, outputs = network.graph.inputs, _output_types(network.graph)
        chosen = _Chosen(engine.value, seed, threads or 1, instructions)

        def submitted(shard: Arrays) -> Future[Any]:
            stored = _stored(network.encode_all(shard), inputs)
            return connection.submit(_computed, __version__, kept, chosen, stored)

        def compute(shards: Iterable[Arrays]) -> Iterator[Arrays]:
            for future in _ahead(map(submitted, shards), connection):
                yield network.decode_all(_integers(connection.result(future), outputs))

        yield compute


class _Chosen(NamedTuple):
    """What computes: an engine, by its name, and its options."""

    engine: str
    seed: int
    threads: int
    instructions: str | None


@dataclass(frozen=True, eq=False)
class _Connection:
    """A client of the scheduler at ``address``. What goes wrong with that is a ``ClusterError``."""

    client: Client
    address: str

    def submit(self, function: Callable[..., Any], *arguments: object) -> Future[Any]:
        """Let a worker call ``function``, whatever it has computed before."""
        with self._answering():
            return self.client.submit(function, *arguments, pure=False)

    def threads(self) -> int:
        """Return how many threads all workers have together."""
        with self._answering():
            return sum(self.client.nthreads().values())

    def result(self, future: Future[Any]) -> Arrays:
        """Return what a task gave, when it has."""
        from distributed import KilledWorker

        seen = time.monotonic()
        while True:
            try:
                with self._answering():
                    result: Arrays = future.result(timeout=_LOOK_SECONDS)
                    return result
            except KilledWorker as error:
                workers = counted(error.allowed_failures + 1, "worker")
                raise ClusterError(
                    f"{workers} of the Dask cluster at {self.address}"
                    f" died of the same images, the last one at {error.last_worker.address}: see"
                    " its log; if it had not enough memory, take a smaller --batch"
                ) from error
            except TimeoutError:
                if future.status == "error":
                    raise
            if self.threads():
                seen = time.monotonic()
            elif time.monotonic() - seen > _WORKERLESS_SECONDS:
                raise ClusterError(
                    f"the Dask cluster at {self.address} has lost all its workers: start some with"
                    f" `dask worker {self.address}`, and simulate again"
                )

    @contextmanager
    def _answering(self) -> Iterator[None]:
        from concurrent.futures import CancelledError

        try:
            yield
        except TimeoutError:  # an OSError, too
            raise
        except (CancelledError, OSError) as error:
            raise ClusterError(
                f"the Dask scheduler at {self.address} was lost: start it again, and simulate again"
            ) from error


@contextmanager
def _connected(address: str) -> Iterator[_Connection]:
    import dask.config
    from distributed import Client
    from distributed.comm.addressing import get_address_host_port

    # Data go with their tasks on purpose: nothing is lost with a worker.
    unlimited = {"distributed.admin.large-graph-warning-threshold": "1TB"}
    with dask.config.set(unlimited), _silent(*_LOGGERS):
        try:
            full = address if "://" in address else f"tcp://{address}"
            # First: a client that was not made for it complains again, when it is deleted.
            get_address_host_port(full, strict=True)
            client = Client(full, timeout=_ANSWER_SECONDS, set_as_default=False)
        except Exception as error:  # whatever an address can be wrong with
            raise ClusterError(
                f"no Dask scheduler answers at '{address}' ({error}): start one with `dask"
                " scheduler`, and give the address that it prints"
            ) from error
        with client:
            yield _Connection(client, address)


@contextmanager
def _silent(*loggers: str) -> Iterator[None]:
    """Let ``loggers`` say nothing: what they could is an error that is raised."""

    def drop(_: logging.LogRecord) -> bool:
        return False

    handlers = [handler for name in loggers for handler in logging.getLogger(name).handlers]
    for handler in handlers:
        handler.addFilter(drop)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(drop)


def _check_workers(connection: _Connection) -> None:
    """Raise ``ClusterError`` unless there are workers, all with this version of lutloom."""
    client, address = connection.client, connection.address
    try:
        client.wait_for_workers(1, timeout=_ANSWER_SECONDS)
    except TimeoutError as error:
        raise ClusterError(
            f"the Dask cluster at {address} has no workers: start some with `dask worker {address}`"
        ) from error
    # A function of Python's own, which workers without lutloom have, too.
    found = client.run(pkgutil.resolve_name, "lutloom:__version__", on_error="return")
    for worker, version in sorted(found.items()):
        if isinstance(version, ImportError):
            raise ClusterError(
                f"the Dask worker {worker} can't import lutloom ({version}): install"
                f" lutloom=={__version__} there, and start it again"
            )
        _check_version(worker, worker_has=str(version), wanted=__version__)


def _check_version(worker: str, *, worker_has: str, wanted: str) -> None:
    if worker_has != wanted:
        raise ClusterError(
            f"the Dask worker {worker} has lutloom {worker_has}, and this is {wanted}: install"
            f" lutloom=={wanted} there, and start it again"
        )


def _ahead(futures: Iterator[Future[Any]], connection: _Connection) -> Iterator[Future[Any]]:
    """Yield ``futures`` in their order, while those of some more shards are on their way."""
    waiting: deque[Future[Any]] = deque()
    looked, most = -_LOOK_SECONDS, 1
    for future in futures:
        waiting.append(future)
        if time.monotonic() - looked > _LOOK_SECONDS:  # workers come and go
            looked = time.monotonic()
            most = max(1, _SHARDS_A_THREAD * connection.threads())
        while len(waiting) >= most:
            yield waiting.popleft()
    while waiting:
        yield waiting.popleft()


def _parcel(build: Build, engine: Engine) -> Parcel:
    """Return the files that ``engine`` computes from, by their names in a build.

    The network is the one that ``build`` has in memory: its graph may give more than the model.
    """
    from lutloom.engines import Engine

    patterns = [MANIFEST, PLAN, "processes.*"]
    if engine in {Engine.CSIM, Engine.ADVERSARIAL}:
        patterns.append("hls/**/*")
    with tempfile.TemporaryDirectory(prefix="lutloom-") as directory:
        save_network(build.network, Path(directory))
        return (*_files(Path(directory), "*"), *_files(build.directory, *patterns))


def _files(directory: Path, *patterns: str) -> Parcel:
    """Return the files below ``directory`` that match one of ``patterns``, by their paths."""
    paths = sorted(path for pattern in patterns for path in directory.glob(pattern))
    return tuple(
        (path.relative_to(directory).as_posix(), path.read_bytes())
        for path in paths
        if path.is_file()
    )


def _output_types(graph: Graph) -> dict[str, TensorType]:
    return {name: graph.types[name] for name in graph.outputs}


def _stored(values: Values, types: Mapping[str, TensorType]) -> dict[str, NDArray[Any]]:
    """Return ``values`` as they travel: in as few bytes as their types need."""
    from lutloom.sim.engine.storage import dense_storage

    return {name: dense_storage(types[name].element).encode(values[name]) for name in types}


def _integers(
    stored: Mapping[str, NDArray[Any]], types: Mapping[str, TensorType]
) -> dict[str, IntArray]:
    """Return the values that ``stored`` are."""
    from lutloom.sim.engine.storage import dense_storage

    return {name: dense_storage(types[name].element).decode(stored[name]) for name in types}


# What follows runs on workers.

_preparing = threading.Lock()


def _kept(parcel: Parcel) -> Parcel:
    """Return ``parcel``: as a task's result workers have it from each other."""
    return parcel


def _computed(
    version: str, parcel: Parcel, chosen: _Chosen, inputs: Arrays
) -> dict[str, NDArray[Any]]:
    """Return the outputs of a graph for its ``inputs``, both as they travel.

    ``version`` is the client's.
    """
    from distributed import get_worker

    worker = get_worker().address
    # It may have come after the others were checked.
    _check_version(worker, worker_has=__version__, wanted=version)
    try:
        with _preparing:  # its other threads wait, instead of preparing the same
            graph, run = _prepared(parcel, chosen)
    except LutloomError as error:
        raise ClusterError(f"the Dask worker {worker} can't compute: {error}") from error
    outputs = run(_integers(inputs, graph.inputs))
    return _stored(outputs, _output_types(graph))


@functools.lru_cache(maxsize=4)
def _prepared(parcel: Parcel, chosen: _Chosen) -> tuple[Graph, Runner]:
    """Return the graph of a build, and what computes it."""
    from lutloom.engines import Engine, runner

    with tempfile.TemporaryDirectory(prefix="lutloom-") as directory:
        for name, content in parcel:
            path = Path(directory) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        build = load_build(directory, strict=False)
        run = runner(
            build,
            Engine(chosen.engine),
            chosen.seed,
            threads=chosen.threads,
            instructions=chosen.instructions,
        )
        return build.network.graph, run
