from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from lutloom.core.files import (
    OutputError,
    check_writable,
    directory_beside,
    whole_directory,
    write_file,
    write_files,
)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_file_appears_with_ordinary_permissions_and_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_file(path, b"one")
    write_file(path, b"two")
    mask = os.umask(0)
    os.umask(mask)
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask
    assert names(tmp_path) == ["a.txt"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    write_file(path, b"one")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OutputError, match=r"a\.txt can't be written: No space left on device$"):
        write_file(path, b"two")
    assert path.read_bytes() == b"one"
    assert names(tmp_path) == ["a.txt"]


def test_a_file_that_must_reach_the_disk_waits_for_it_before_it_replaces_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    path = tmp_path / "a.txt"
    write_file(path, b"one")
    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(OutputError, match=r"a\.txt can't be written: Input/output error$"):
        write_file(path, b"two", sync=True)
    assert path.read_bytes() == b"one"
    assert names(tmp_path) == ["a.txt"]


def test_several_files_are_all_written_or_none(tmp_path: Path) -> None:
    old, new = tmp_path / "a", tmp_path / "b"
    write_files({old: b"one"})
    with pytest.raises(OutputError, match=r"c can't be written: No such file or directory$"):
        write_files({old: b"two", new: b"two", tmp_path / "none" / "c": b"two"})
    assert old.read_bytes() == b"one"
    assert names(tmp_path) == ["a"]
    write_files({old: b"two", new: b"three"})
    assert (old.read_bytes(), new.read_bytes()) == (b"two", b"three")


def test_what_can_not_be_written_is_said_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_writable(tmp_path / "a" / "b")
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match=r"b can't be written: .*file is no directory$"):
        check_writable(tmp_path / "file" / "a" / "b")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match=r"b can't be written: nothing may be written in "):
        check_writable(tmp_path / "a" / "b")
    assert names(tmp_path) == ["file"]


def test_a_link_stays_one_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "link"
    link.symlink_to("there/file")
    write_file(link, b"one")
    write_file(link, b"two")
    assert link.is_symlink()
    assert (tmp_path / "there" / "file").read_bytes() == b"two"
    assert names(tmp_path / "there") == ["file"]


@pytest.mark.skipif(not Path("/dev/fd").is_symlink(), reason="needs /dev/fd")
def test_a_device_that_leads_to_a_file_is_not_replaced(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        for path in (Path(f"/dev/fd/{file.fileno()}"), Path(f"/proc/self/fd/{file.fileno()}")):
            with pytest.raises(OutputError, match=r"can't be written: it is no regular file$"):
                write_file(path, b"x")
    with pytest.raises(OutputError, match=r"can't be written: it is no regular file$"):
        write_file(Path("/dev/lutloom"), b"x")


def test_a_file_in_no_directory_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"b can't be written: No such file or directory$"):
        write_file(tmp_path / "a" / "b", b"")


def test_a_directory_appears_when_it_is_complete(tmp_path: Path) -> None:
    with whole_directory(tmp_path / "a" / "build") as directory:
        (directory / "file").write_text("x")
        assert not (tmp_path / "a" / "build").exists()
    assert names(tmp_path / "a") == ["build"]
    assert names(tmp_path / "a" / "build") == ["file"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("exists", [False, True])
def test_nothing_is_left_of_a_directory_that_failed(
    error: type[BaseException], exists: bool, tmp_path: Path
) -> None:
    path = tmp_path / "build"
    if exists:
        path.mkdir()
        (path / "old").write_text("kept")

    def fill() -> None:
        with whole_directory(path, replace=True) as directory:
            (directory / "file").write_text("x")
            raise error

    with pytest.raises(error):
        fill()
    assert names(tmp_path) == (["build"] if exists else [])
    if exists:
        assert names(path) == ["old"]


def test_folders_that_were_made_on_the_way_go_with_it(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()

    def fill() -> None:
        with whole_directory(tmp_path / "there" / "a" / "b" / "build"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill()
    assert names(tmp_path) == ["there"]
    assert names(tmp_path / "there") == []


def test_an_interrupt_while_a_directory_is_removed_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove, calls = shutil.rmtree, []

    def interrupted(directory: Path, *, ignore_errors: bool) -> None:
        calls.append(directory)
        if len(calls) == 1:
            raise KeyboardInterrupt
        remove(directory, ignore_errors=ignore_errors)

    monkeypatch.setattr(shutil, "rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt), directory_beside(tmp_path / "x") as directory:
        (directory / "file").write_text("x")
    assert len(calls) == 2
    assert names(tmp_path) == []


def test_an_existing_directory_is_refused_or_replaced(tmp_path: Path) -> None:
    path = tmp_path / "build"
    path.mkdir()
    (path / "old").write_text("x")
    with (
        pytest.raises(OutputError, match=r"build exists: choose another .* --force to replace it$"),
        whole_directory(path),
    ):
        pass
    assert names(path) == ["old"]
    with whole_directory(path, replace=True) as directory:
        (directory / "new").write_text("x")
    assert names(path) == ["new"]
    assert names(tmp_path) == ["build"]


def test_a_file_in_the_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "build"
    path.write_text("x")
    with (
        pytest.raises(OutputError, match=r"build is no directory: choose another one$"),
        whole_directory(path, replace=True),
    ):
        pass


def test_a_parent_that_is_a_file_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(OutputError, match=r"build can't be written: "),
        whole_directory(tmp_path / "file" / "build"),
    ):
        pass


@pytest.mark.parametrize("error", [OSError(errno.EIO, "bad disk"), KeyboardInterrupt()])
def test_a_swap_that_fails_brings_the_old_directory_back(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "build"
    path.mkdir()
    (path / "old").write_text("x")
    rename = Path.rename

    def second_fails(self: Path, target: Path) -> Path:
        if target == path and self.name != "build":
            raise error
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", second_fails)
    expected = OutputError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected), whole_directory(path, replace=True) as directory:
        (directory / "new").write_text("x")
    assert names(tmp_path) == ["build"]
    assert names(path) == ["old"]
