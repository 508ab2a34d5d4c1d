"""Downloads: whatever goes wrong, a file is there whole and right, or not at all."""

from __future__ import annotations

import fcntl
import shutil
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lutloom.core.files import OutputError
from lutloom.qat.data.download import fetch
from lutloom.qat.data.published import PUBLISHED
from lutloom.qat.errors import DataError
from tests.qat.data.servers import Server

CONTENT = np.random.default_rng(0).bytes(300_000)
HALF = 150_000


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def part_of(folder: Path) -> Path:
    return folder / ".x.gz.part"


def test_a_file_comes_whole_and_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    file = server.put(CONTENT)
    told: list[tuple[str, int, int]] = []
    for _ in range(2):
        path = fetch(file, tmp_path / "new" / "data", lambda *now: told.append(now))
        assert path.read_bytes() == CONTENT
    assert server.asked == [("/x.gz", None)]
    assert visible(path.parent) == ["x.gz"]
    assert told == sorted(told)
    assert told[-1] == ("x.gz", len(CONTENT), len(CONTENT))


@pytest.mark.parametrize("ranges", [True, False])
def test_what_broke_off_is_gone_on_with(server: Server, tmp_path: Path, ranges: bool) -> None:
    file = server.put(CONTENT)
    server.cut_off, server.ranges = HALF, ranges
    message = rf"^x.gz can't be downloaded \(http.*/x.gz: it broke off after {HALF:,} of 300,000 "
    with pytest.raises(DataError, match=message):
        fetch(file, tmp_path)
    assert visible(tmp_path) == []
    server.cut_off = None
    assert fetch(file, tmp_path).read_bytes() == CONTENT
    assert server.asked == [("/x.gz", None), ("/x.gz", f"bytes={HALF}-")]
    assert not part_of(tmp_path).exists()


@pytest.mark.parametrize("have", [1, HALF, len(CONTENT), len(CONTENT) + 1])
def test_a_false_beginning_is_thrown_away(server: Server, tmp_path: Path, have: int) -> None:
    part_of(tmp_path).write_bytes(bytes(have))
    assert fetch(server.put(CONTENT), tmp_path).read_bytes() == CONTENT


def test_a_complete_part_needs_no_network(server: Server, tmp_path: Path) -> None:
    part_of(tmp_path).write_bytes(CONTENT)
    assert fetch(server.put(CONTENT), tmp_path).read_bytes() == CONTENT
    assert server.asked == []


@pytest.mark.parametrize(
    ("served", "said"),
    [
        (CONTENT[:-1] + b"x", "what came is not the file that was published"),
        (CONTENT + b"x", "what comes is longer than the file that was published"),
        (b"<html>Log in first</html>", "it broke off after 25 of 300,000 bytes"),
        (b"", "it broke off after 0 of 300,000 bytes"),
    ],
)
def test_another_file_is_not_taken(
    server: Server, tmp_path: Path, served: bytes, said: str
) -> None:
    server.put(served)
    with pytest.raises(DataError, match=said):
        fetch(server.known(CONTENT, "x.gz"), tmp_path)
    assert visible(tmp_path) == []
    # ... nor does what came spoil the next attempt
    assert fetch(server.put(CONTENT), tmp_path).read_bytes() == CONTENT


def test_the_next_place_is_tried_where_one_has_not_got_the_file(
    server: Server, tmp_path: Path
) -> None:
    server.put(CONTENT)
    gone = f"http://127.0.0.1:{server.port}/gone"
    file = server.known(CONTENT, "x.gz", "http://127.0.0.1:1/x.gz", gone)
    assert fetch(file, tmp_path).read_bytes() == CONTENT


def test_without_a_network_it_is_said_where_the_file_goes(server: Server, tmp_path: Path) -> None:
    file = replace(
        server.put(CONTENT),
        urls=("http://127.0.0.1:1/x.gz", f"http://127.0.0.1:{server.port}/gone"),
    )
    message = (
        r"^x.gz can't be downloaded \(http://127.0.0.1:1/x.gz: .*refused; http://.*/gone: 404 Not "
        rf"Found\): try again, .*, or fetch it on another computer and put it into {tmp_path}$"
    )
    with pytest.raises(DataError, match=message):
        fetch(file, tmp_path)
    folder = tmp_path / "read only"
    folder.mkdir()
    (folder / "x.gz").write_bytes(CONTENT)
    assert fetch(file, folder) == folder / "x.gz"
    assert [path.name for path in folder.iterdir()] == ["x.gz"]


@pytest.mark.parametrize("content", [b"", CONTENT[:-1], CONTENT[:-1] + b"x"])
def test_a_file_put_there_by_hand_is_checked_and_left(
    server: Server, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "x.gz").write_bytes(content)
    message = rf"^{tmp_path}/x.gz is not the file that was published, which has 300,000 bytes and "
    with pytest.raises(DataError, match=message):
        fetch(server.put(CONTENT), tmp_path)
    assert (tmp_path / "x.gz").read_bytes() == content
    assert server.asked == []


def test_a_full_disk_is_said(server: Server, tmp_path: Path) -> None:
    part_of(tmp_path).symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"x.gz.part can't be written: No space left on device$"):
        fetch(server.put(CONTENT), tmp_path)
    assert visible(tmp_path) == []


def test_too_little_room_is_said_before_anything_comes(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part_of(tmp_path).write_bytes(CONTENT[:HALF])
    file = server.put(CONTENT)
    room = SimpleNamespace(free=HALF - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: room)
    message = rf"^{tmp_path} has 149,999 bytes left, and 150,000 are to come: make room, or set XDG"
    with pytest.raises(DataError, match=message):
        fetch(file, tmp_path)
    assert server.asked == []
    room.free = HALF
    assert fetch(file, tmp_path).read_bytes() == CONTENT


def test_a_folder_that_cannot_be_made_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file/data can't be written: Not a directory$"):
        fetch(server.put(CONTENT), tmp_path / "file" / "data")


def test_ctrl_c_leaves_no_half_file_and_is_gone_on_from(server: Server, tmp_path: Path) -> None:
    def stop(_: str, have: int, __: int) -> None:
        if have > HALF:
            raise KeyboardInterrupt

    file = server.put(CONTENT)
    with pytest.raises(KeyboardInterrupt):
        fetch(file, tmp_path, stop)
    have = part_of(tmp_path).stat().st_size
    assert HALF < have < len(CONTENT)
    assert visible(tmp_path) == []
    assert fetch(file, tmp_path).read_bytes() == CONTENT
    assert server.asked[-1] == ("/x.gz", f"bytes={have}-")


CHILD = """
    import sys, time
    from pathlib import Path
    from lutloom.qat.data.download import fetch
    from lutloom.qat.data.published import RemoteFile

    def tell(*now):
        print(*now, flush=True)
        time.sleep(60)

    fetch({file!r}, Path({folder!r}), tell)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_process_that_is_killed_is_gone_on_from(
    server: Server, tmp_path: Path, how: signal.Signals
) -> None:
    file = server.put(CONTENT)
    code = textwrap.dedent(CHILD).format(file=file, folder=str(tmp_path))
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "x.gz 65536 300000\n"
    child.send_signal(how)
    child.communicate(timeout=60)
    assert child.returncode == -how
    assert visible(tmp_path) == []
    # the lock went with it
    assert fetch(file, tmp_path).read_bytes() == CONTENT
    assert server.asked[-1] == ("/x.gz", "bytes=65536-")


def test_what_another_process_has_fetched_meanwhile_is_taken(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = server.put(CONTENT)
    waited = []

    def wait(*_: object) -> None:
        waited.append((tmp_path / "x.gz").write_bytes(CONTENT))

    monkeypatch.setattr(fcntl, "flock", wait)
    assert fetch(file, tmp_path).read_bytes() == CONTENT
    assert waited == [len(CONTENT)]
    assert server.asked == []


def test_two_that_want_the_same_file_fetch_it_once(server: Server, tmp_path: Path) -> None:
    file = server.put(CONTENT)
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: fetch(file, tmp_path), range(4)))
    assert [path.read_bytes() == CONTENT for path in paths] == 4 * [True]
    assert server.asked == [("/x.gz", None)]


def test_what_is_published_has_places_sizes_and_checksums() -> None:
    assert list(PUBLISHED) == ["mnist", "fashion-mnist", "cifar10", "cifar100"]
    files = [file for published in PUBLISHED.values() for file in published.files]
    assert len(files) == 10
    assert len({file.sha256 for file in files}) == len({file.size for file in files}) == 10
    for file in files:
        assert len(bytes.fromhex(file.sha256)) == 32
        assert len(file.urls) > 1
        assert all(url.endswith(f"/{file.name}") for url in file.urls)
