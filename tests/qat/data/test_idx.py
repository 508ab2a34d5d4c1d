"""IDX files: what is written is read, and what is damaged is named."""

from __future__ import annotations

import gzip
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lutloom.qat.data.idx import find_idx, read_idx
from lutloom.qat.errors import DataError


def idx(array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], kind: int = 8) -> bytes:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape)
    return header + array.tobytes()


@given(
    arrays(np.uint8, array_shapes(min_dims=1, max_dims=3, min_side=0)), st.sampled_from(["", ".gz"])
)
def test_what_is_written_is_read(
    array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], ending: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"x{ending}"
        path.write_bytes(gzip.compress(idx(array)) if ending else idx(array))
        assert np.array_equal(read_idx(path, array.ndim), array)


@given(st.binary(max_size=40), st.integers(1, 3))
def test_bytes_of_any_kind_are_read_or_refused_with_a_sentence(content: bytes, rank: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        path.write_bytes(content)
        try:
            array = read_idx(path, rank)
        except DataError as error:
            assert str(error).startswith(str(path))  # noqa: PT017 (either outcome is right)
        else:
            assert idx(array) == content


IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is not an IDX file: its first bytes are $"),
        (b"\x89PNG" + bytes(20), r"is not an IDX file: its first bytes are 89 50 4e 47"),
        (idx(IMAGES)[:-1], r"holds 23 bytes of data, but its header promises 24 \(2 x 3 x 4\)"),
        (idx(IMAGES) + b"\0", r"holds 25 bytes of data, but its header promises 24"),
        (idx(IMAGES, kind=0x0D), r"holds type 0x0d in 3 dimensions, but unsigned bytes \(0x08\)"),
        (idx(IMAGES.reshape(6, 4)) + bytes(8), r"holds type 0x08 in 2 dimensions, but .* in 3"),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "images"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"^{path} {message}"):
        read_idx(path, 3)


@pytest.mark.parametrize(
    "content",
    [gzip.compress(idx(IMAGES), mtime=0)[:-9], idx(IMAGES), b"\x1f\x8b"],
    ids=["cut off", "not compressed", "two bytes"],
)
def test_a_damaged_gzip_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "images.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"^{path} is a damaged gzip file \(.*\): fetch it again$"):
        read_idx(path, 3)


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"^{tmp_path} can't be read: Is a directory$"):
        read_idx(tmp_path, 3)


@pytest.mark.parametrize("name", ["a-idx3-ubyte", "a-idx3-ubyte.gz", "a.idx3-ubyte"])
def test_a_file_is_found_under_each_of_its_names(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert find_idx(tmp_path, "a-idx3-ubyte") == tmp_path / name


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=rf"^{tmp_path} has no a-idx3-ubyte \(nor a-idx3-ubyte.gz\)"
    ):
        find_idx(tmp_path, "a-idx3-ubyte")
