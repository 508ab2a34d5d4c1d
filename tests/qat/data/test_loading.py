"""Data sets: bytes, labels and an exact scale, the same everywhere, wherever they lie."""

from __future__ import annotations

import gzip
import struct
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lutloom.qat.data import load_dataset, load_idx_folder
from lutloom.qat.data.idx import STEMS
from lutloom.qat.data.loading import cache_folder
from lutloom.qat.data.published import PUBLISHED, Published
from lutloom.qat.errors import DataError
from tests.qat.data.servers import Server

if TYPE_CHECKING:
    from numpy.typing import NDArray


def write_idx(path: Path, array: NDArray[np.uint8]) -> None:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + array.tobytes())


def write_mnist(folder: Path, train: int = 7, test: int = 4, classes: int = 3) -> None:
    generator = np.random.default_rng(0)
    for part, images in (("train", train), ("t10k", test)):
        pixels = generator.integers(0, 256, (images, 5, 6), np.uint8)
        write_idx(folder / f"{part}-images-idx3-ubyte", pixels)
        labels = (np.arange(images) % classes).astype(np.uint8)
        write_idx(folder / f"{part}-labels-idx1-ubyte", labels)


def test_digits_are_1797_images_of_which_one_in_five_of_each_class_is_tested() -> None:
    pytest.importorskip("sklearn", reason="needs scikit-learn")
    digits = load_dataset("digits")
    assert (digits.input_shape, digits.classes) == ((1, 8, 8), 10)
    assert digits.input_scale == Fraction(1, 16)
    assert len(digits.train_y) + len(digits.test_y) == 1797
    assert {array.dtype for array in (digits.train_x, digits.train_y)} == {np.dtype(np.uint8)}
    assert (digits.train_x.min(), digits.train_x.max()) == (0, 16)
    for digit in range(10):
        trained, tested = (int((y == digit).sum()) for y in (digits.train_y, digits.test_y))
        assert tested == -(-(trained + tested) // 5)


def test_no_digit_is_both_trained_with_and_tested() -> None:
    datasets = pytest.importorskip("sklearn.datasets", reason="needs scikit-learn")
    digits = load_dataset("digits")
    both = np.concatenate([digits.train_x, digits.test_x])[:, 0].tolist()
    assert sorted(both) == sorted(datasets.load_digits().images.astype(int).tolist())


def test_pixels_are_the_nearest_float32_to_scale_times_byte(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    dataset = load_idx_folder(tmp_path)
    for byte in range(256):
        exact = dataset.input_scale * byte
        pixel = dataset.pixels(np.array([byte], np.uint8))[0]
        neighbours = np.nextafter(pixel, np.array([-1, 2], np.float32))
        error = abs(Fraction(float(pixel)) - exact)
        assert all(error <= abs(Fraction(float(other)) - exact) for other in neighbours)


def test_a_folder_of_idx_files_is_read(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    dataset = load_dataset(tmp_path)
    assert dataset.name == tmp_path.name
    assert (dataset.train_x.shape, dataset.test_x.shape) == ((7, 1, 5, 6), (4, 1, 5, 6))
    assert dataset.classes == 3
    assert dataset.input_scale == Fraction(1, 255)
    assert dataset.test_y.tolist() == [0, 1, 2, 0]


def test_a_data_set_that_is_not_there_is_named_with_what_could_be_given() -> None:
    with pytest.raises(DataError, match=r"^there is no data set 'mnits': use 'digits' .* or a f"):
        load_dataset("mnits")


@pytest.mark.parametrize("name", ["x.txt", "x.tar.gz", "cifar.zip"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(DataError, match=rf"^{tmp_path}/{name} is (no data set|an archive that is)"):
        load_dataset(tmp_path / name)


def test_a_folder_of_nothing_or_of_several_data_sets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"^{tmp_path} holds no data set: put there the four IDX "):
        load_dataset(tmp_path)
    for part in ("train", "test"):
        (tmp_path / part).mkdir()
    write_mnist(tmp_path)
    with pytest.raises(DataError, match=rf"^{tmp_path} holds IDX files and images: put each data "):
        load_dataset(tmp_path)


def test_a_path_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(DataError, match=r"can't be read: File name too long$"):
        load_dataset("x" * 300)


def serve_mnist(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Published:
    """Let the name mnist be for a small data set on a server, with a cache in ``folder``."""
    write_mnist(folder)
    files = tuple(
        server.put(gzip.compress((folder / stem).read_bytes()), f"{stem}.gz") for stem in STEMS
    )
    published = replace(PUBLISHED["mnist"], files=files)
    monkeypatch.setitem(PUBLISHED, "mnist", published)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    return published


def test_a_data_set_is_downloaded_once_where_that_is_asked_for(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = serve_mnist(server, tmp_path, monkeypatch)
    places = ", ".join(file.urls[0] for file in published.files)
    message = (
        rf"^mnist is not in {tmp_path}/cache/lutloom/data/mnist: pass --download \(download=True\) "
        rf"to fetch 0.0 MB, or put there {places}$"
    )
    with pytest.raises(DataError, match=message):
        load_dataset("mnist")
    assert server.asked == []
    told: list[tuple[str, int, int]] = []
    sets = [load_dataset("mnist", download=True, progress=lambda *now: told.append(now))]
    assert told == [(file.name, file.size, file.size) for file in published.files]
    assert len(server.asked) == 4
    sets += [load_dataset("mnist"), load_dataset("mnist", download=True)]
    assert len(server.asked) == 4
    wanted = load_idx_folder(tmp_path)
    for found in sets:
        assert (found.name, found.classes) == ("mnist", 3)
        assert np.array_equal(found.train_x, wanted.train_x)
        assert np.array_equal(found.test_y, wanted.test_y)


def test_what_lies_in_the_cache_is_checked(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_mnist(server, tmp_path, monkeypatch)
    load_dataset("mnist", download=True)
    path = cache_folder() / "mnist" / "t10k-labels-idx1-ubyte.gz"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"x")
    with pytest.raises(DataError, match=rf"^{path} is not the file that was published, which has"):
        load_dataset("mnist")
    # What is beside the published files is not read.
    path.write_bytes(content)
    path.with_suffix("").write_bytes(b"another file")
    assert load_dataset("mnist").test_y.tolist() == [0, 1, 2, 0]


def test_the_cache_is_where_other_programs_have_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/x")
    monkeypatch.setenv("XDG_CACHE_HOME", "/big")
    assert cache_folder() == Path("/big/lutloom/data")
    for value in ("", "no/absolute/path"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert cache_folder() == Path("/home/x/.cache/lutloom/data")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match=rf"^{tmp_path} has no t10k-labels-idx1-ubyte "):
        load_dataset(str(tmp_path))


def test_images_and_labels_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.zeros(6, np.uint8))
    with pytest.raises(DataError, match=r"holds 7 images, but train-labels-idx1-ubyte 6 labels"):
        load_idx_folder(tmp_path)


def test_an_empty_data_set_is_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path, test=0)
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte holds no pixels"):
        load_idx_folder(tmp_path)


def test_a_single_class_is_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path, classes=1)
    with pytest.raises(DataError, match=rf"^{tmp_path} has images of one class only: two at least"):
        load_idx_folder(tmp_path)


def test_parts_of_different_size_are_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    write_idx(tmp_path / "t10k-images-idx3-ubyte", np.zeros((4, 6, 6), np.uint8))
    with pytest.raises(DataError, match=r"have 1 x 5 x 6 pixels and those to test 1 x 6 x 6"):
        load_idx_folder(tmp_path)


def test_a_label_that_is_only_tested_is_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    write_idx(tmp_path / "t10k-labels-idx1-ubyte", np.array([0, 1, 2, 3], np.uint8))
    with pytest.raises(DataError, match=r"label 3 is tested, but the largest label .* is 2"):
        load_idx_folder(tmp_path)
