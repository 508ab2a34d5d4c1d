"""Files that are read a few rows at a time give what they give as a whole."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lutloom.core.errors import DataFileError
from lutloom.rows import Rows, array_rows, npy_rows, npz_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

TYPES = ("u1", "<i8", "<f4", ">f4", "f8", "?")


def member(array: NDArray[Any], version: tuple[int, int] | None = None) -> bytes:
    """Return the .npy file of ``array``."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version=version)
    return buffer.getvalue()


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in members.items():
            zipped.writestr(name, content)
    return path


def all_rows(directory: Path, array: NDArray[Any]) -> dict[str, Rows]:
    """Return ``array`` as rows of every kind."""
    npy = directory / "x.npy"
    np.save(npy, array)
    npz = archive(directory / "x.npz", {"x.npy": member(array), "y.npy": member(array, (2, 0))})
    found = npz_rows(npz, "data")
    return {
        "array": array_rows(array), "npy": npy_rows(npy, "data"), "npz": found["x"],
        "version 2": found["y"],
    }  # fmt: skip


@given(data=st.data())
def test_chunks_are_the_rows_in_order(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shape = data.draw(st.tuples(st.integers(0, 9), st.integers(1, 3), st.integers(1, 3)))
    dtype = np.dtype(data.draw(st.sampled_from(TYPES)))
    array = data.draw(arrays(dtype, shape, elements=st.integers(0, 1)))
    if data.draw(st.booleans()):
        array = np.asfortranarray(array)
    count, size = data.draw(st.integers(0, shape[0])), data.draw(st.integers(1, 10))
    for rows in all_rows(tmp_path_factory.mktemp("rows"), array).values():
        assert (rows.shape, rows.dtype, rows.count) == (shape, dtype, shape[0])
        assert (rows.blank.shape, rows.blank.dtype) == (shape, dtype)
        chunks = list(rows.chunks(count, size))
        assert [len(chunk) for chunk in chunks[:-1]] == [size] * (len(chunks) - 1)
        assert len(chunks) == max(1, -(-count // size))
        assert all(chunk.dtype == dtype for chunk in chunks)
        assert np.array_equal(np.concatenate(chunks), array[:count])


def test_a_file_that_changes_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.zeros((4, 3)))
    chunks = npy_rows(path, "data").chunks(4, 2)
    assert next(chunks).shape == (2, 3)
    np.save(path, np.zeros((4, 2)))
    with pytest.raises(
        DataFileError, match=r"^the data file .*x\.npy was changed while it was rea"
    ):
        next(chunks)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataFileError, match=r"x\.npy is no \.npy file of numbers \(mmap length is"):
        next(npy_rows(path, "data").chunks(4, 2))
    path.unlink()
    with pytest.raises(DataFileError, match=r"^the data file .*x\.npy does not exist$"):
        npy_rows(path, "data")


ZEROS = member(np.zeros((4, 3)))


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"x.npy": ZEROS[:-8]}, r"('x' has 216 bytes, but \[4, 3\])"),
        ({"x.npy": ZEROS + b"0"}, r"('x' has 225 bytes, but \[4, 3\])"),
        ({"x.npy": b"text"}, r"(.*); save it with numpy\.savez"),
        ({"x.npy": ZEROS, "x": ZEROS}, r"('x' is there twice)"),
        ({"x.npy": b"\x93NUMPY\x09" + ZEROS[7:]}, r"(an array has the version \(9, 0\))"),
        (
            {"x.npy": member(np.array([1j]))},
            r"^x in the data file .*x\.npz holds complex128, not n",
        ),
        ({"x.npy": ZEROS.replace(b"(4, 3)", b"(-4,3)")}, r"'x' has 224 bytes"),
    ],
)
def test_members_that_are_no_arrays_are_named(
    members: dict[str, bytes], said: str, tmp_path: Path
) -> None:
    path = archive(tmp_path / "x.npz", members)
    with pytest.raises(DataFileError, match=said):
        npz_rows(path, "data")


def test_damaged_numbers_in_an_archive_are_noticed_when_they_are_read(tmp_path: Path) -> None:
    numbers = np.arange(40_000).reshape(100, 400)
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as zipped:
        zipped.writestr("x.npy", member(numbers))
    content = bytearray(path.read_bytes())
    content[200_000] ^= 1
    path.write_bytes(content)
    chunks = npz_rows(path, "data")["x"].chunks(100, 10)
    with pytest.raises(DataFileError, match=r"is no \.npz file of numbers \(Bad CRC-32 for file"):
        list(chunks)
