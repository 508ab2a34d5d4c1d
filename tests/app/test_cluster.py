"""``--dask``: the same outputs from the workers of a cluster, whatever becomes of them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import lutloom
from lutloom.cluster import ClusterError, _parcel, cluster
from lutloom.engines import Engine
from tests.app import dask_processes
from tests.app.commands import Invoke, contents
from tests.app.dask_processes import (
    DIES_OF_A_SHARD,
    HAS_NO_COMPILER,
    HAS_NO_LUTLOOM,
    IS_OLDER,
    SOUND,
    Scheduler,
    workers,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scheduler]:
    """Return a scheduler without workers."""
    with dask_processes.scheduler(tmp_path_factory.mktemp("scheduler")) as running:
        yield running


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("ANSWER", 0.5), ("LOOK", 0.1), ("WORKERLESS", 0.3)):
        monkeypatch.setattr(f"lutloom.cluster._{name}_SECONDS", seconds)


def images(count: int) -> NDArray[np.float32]:
    return np.random.default_rng(count).normal(size=(count, 12)).astype(np.float32)


def computed(
    address: str,
    directory: Path,
    shards: Iterable[NDArray[Any]],
    engine: Engine = Engine.REFERENCE,
) -> list[NDArray[Any]]:
    """Return what the cluster gives for each of ``shards``."""
    build = lutloom.load_build(directory)
    given, output = build.network.input.name, build.network.output.name
    with cluster(address, build, engine) as compute:
        return [found[output] for found in compute({given: shard} for shard in shards)]


def test_shards_come_back_in_their_order_though_a_worker_dies(
    scheduler: Scheduler, float_build: Path, tmp_path: Path
) -> None:
    data, read = images(2000), 0
    shards = [data[first : first + 100] for first in range(0, 2000, 100)]
    shards += [data[:1], data[:0], data[7:520]]
    build = lutloom.load_build(float_build)

    def given() -> Iterator[dict[str, NDArray[Any]]]:
        nonlocal read
        for shard in shards:
            read += 1
            yield {build.network.input.name: shard}

    with workers(scheduler, tmp_path, DIES_OF_A_SHARD, SOUND) as (dying, sound):
        with cluster(scheduler.address, build, Engine.REFERENCE) as compute:
            for done, found in enumerate(compute(given())):
                # As many as two workers are busy with, and no more.
                assert read - done <= 6
                wanted = lutloom.simulate(build, shards[done], engine=Engine.REFERENCE).outputs
                assert np.array_equal(found[build.network.output.name], wanted)
        assert dying.wait(timeout=60) == -9
        assert sound.poll() is None
    assert read == len(shards) == done + 1


def test_simulate_gives_the_same_on_a_cluster(
    scheduler: Scheduler, float_build: Path, invoke: Invoke, tmp_path: Path
) -> None:
    data = images(1500)
    for name, array in (("x", data), ("labels", np.arange(1500) % 4)):
        np.save(tmp_path / f"{name}.npy", array)
    given = ("simulate", float_build, "--data", tmp_path / "x.npy", "--labels")
    options = (tmp_path / "labels.npy", "--min-accuracy", "0.9", "--batch", "100")
    layer = next(iter(lutloom.load_build(float_build).network.graph.nodes)).name
    ended = {}
    with workers(scheduler, tmp_path, SOUND, SOUND):
        for where in ("here", "there"):
            dask = ("--dask", scheduler.address) if where == "there" else ()
            files = ("--output", tmp_path / f"{where}.npy", "--engine", "reference")
            trace = ("--trace", f"{layer}={tmp_path / where}-trace.npy")
            ended[where] = invoke(*given, *options, *files, *trace, *dask)
    # Only the times differ.
    assert ended["there"].out.splitlines()[1:] == ended["here"].out.splitlines()[1:]
    assert (ended["here"].status, ended["there"].status, ended["there"].err) == (1, 1, "")
    for kind in ("", "-trace"):
        here, there = (tmp_path / f"{where}{kind}.npy" for where in ("here", "there"))
        assert here.read_bytes() == there.read_bytes()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (IS_OLDER, r"worker tcp://.* has lutloom 0\.0\.9, and this is .*: install lutloom==.*"),
        (HAS_NO_LUTLOOM, r"worker tcp://.* can't import lutloom \(.*\): install lutloom==.*"),
    ],
    ids=["another version", "none"],
)
def test_a_worker_without_this_lutloom_is_named(
    kind: str, said: str, scheduler: Scheduler, float_build: Path, tmp_path: Path
) -> None:
    with workers(scheduler, tmp_path, kind), pytest.raises(ClusterError, match=said):
        computed(scheduler.address, float_build, [])


def test_a_worker_of_another_version_that_comes_later_is_named(
    scheduler: Scheduler, float_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lutloom.cluster._check_workers", lambda _: None)
    said = r"^the Dask worker tcp://.* has lutloom 0\.0\.9"
    with workers(scheduler, tmp_path, IS_OLDER), pytest.raises(ClusterError, match=said):
        computed(scheduler.address, float_build, [images(3)])


def test_a_worker_without_a_compiler_is_named(
    scheduler: Scheduler, float_build: Path, tmp_path: Path
) -> None:
    said = r"^the Dask worker tcp://\S+ can't compute: the C\+\+ compiler no-such-compiler is what"
    with workers(scheduler, tmp_path, HAS_NO_COMPILER), pytest.raises(ClusterError, match=said):
        computed(scheduler.address, float_build, [images(3)], Engine.COMPILED)


def test_a_shard_that_workers_die_of_is_not_tried_for_ever(
    scheduler: Scheduler, float_build: Path, tmp_path: Path
) -> None:
    said = r"^2 workers of the Dask cluster at tcp://.* died of the same images, .* tcp://.*: see"
    with (
        workers(scheduler, tmp_path, DIES_OF_A_SHARD, DIES_OF_A_SHARD),
        pytest.raises(ClusterError, match=said),
    ):
        computed(scheduler.address, float_build, [images(3)])


@pytest.mark.usefixtures("impatient")
def test_a_cluster_whose_workers_all_died_is_not_waited_for(
    scheduler: Scheduler, float_build: Path, tmp_path: Path
) -> None:
    with (
        workers(scheduler, tmp_path, DIES_OF_A_SHARD),
        pytest.raises(ClusterError, match="has lost all its workers: start some with"),
    ):
        computed(scheduler.address, float_build, [images(3)])


@pytest.mark.usefixtures("impatient")
def test_a_cluster_without_workers_is_named(scheduler: Scheduler, float_build: Path) -> None:
    with pytest.raises(ClusterError, match=r"at tcp://.* has no workers: start some with `dask"):
        computed(scheduler.address, float_build, [images(3)])


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:1", "127.0.0.1:1", "nobody", "", "smtp://127.0.0.1:25", "::"]
)
def test_an_address_without_a_scheduler_is_named(address: str, float_build: Path) -> None:
    with pytest.raises(
        ClusterError, match=rf"^no Dask scheduler answers at '{address}' \(.+\): st"
    ):
        computed(address, float_build, [images(3)])


@pytest.mark.usefixtures("impatient")
def test_a_scheduler_that_ends_is_named(
    float_build: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def shards(process: subprocess.Popen[bytes]) -> Iterator[NDArray[Any]]:
        yield images(3)
        process.kill()
        while True:
            yield images(3)

    with dask_processes.scheduler(tmp_path) as ending, workers(ending, tmp_path, SOUND):
        said = r"^the Dask scheduler at tcp://.* was lost: start it again, and simulate again$"
        with pytest.raises(ClusterError, match=said):
            computed(ending.address, float_build, shards(ending.process))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("engine", Engine)
def test_workers_get_what_they_read_and_nothing_else(engine: Engine, float_build: Path) -> None:
    sent = dict(_parcel(lutloom.load_build(float_build), engine))
    files = contents(float_build)
    project = {name for name in files if name.startswith("hls/")}
    assert sent.items() <= files.items()
    assert set(sent).isdisjoint({"model.onnx", "golden.npz", "samples.npz"})
    assert project & set(sent) == (
        project if engine in {Engine.CSIM, Engine.ADVERSARIAL} else set()
    )
