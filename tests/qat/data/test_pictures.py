"""Folders of images as data to train with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lutloom.qat.data import load_dataset, pictures
from lutloom.qat.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

pytest.importorskip("PIL", reason="needs Pillow")


def save(path: Path, pixels: NDArray[np.uint8]) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def drawn(seed: int, *shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def write(folder: Path, *shape: int, classes: tuple[str, ...] = ("ape", "cat")) -> None:
    for part in ("train", "test"):
        for seed, name in enumerate(classes):
            for number in (2, 10):
                save(folder / part / name / f"{number}.png", drawn(10 * seed + number, *shape))


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
@pytest.mark.parametrize("block", [1, 3, 1024])
def test_images_come_class_by_class_with_their_channels_first(
    tmp_path: Path, shape: tuple[int, ...], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "_BLOCK", block)
    write(tmp_path, *shape)
    dataset = load_dataset(tmp_path)
    wanted = np.stack([drawn(seed, *shape) for seed in (2, 10, 12, 20)])
    wanted = wanted[:, None] if wanted.ndim == 3 else wanted.transpose(0, 3, 1, 2)
    assert (dataset.name, dataset.classes) == (tmp_path.name, 2)
    assert np.array_equal(dataset.train_x, wanted)
    assert np.array_equal(dataset.test_x, wanted)
    assert dataset.train_y.tolist() == dataset.test_y.tolist() == [0, 0, 1, 1]


def test_folders_with_numbers_for_names_are_those_classes(tmp_path: Path) -> None:
    write(tmp_path, 3, 3, classes=("07", "2"))
    dataset = load_dataset(tmp_path)
    assert dataset.train_y.tolist() == [2, 2, 7, 7]
    assert dataset.classes == 8


def test_grey_images_among_coloured_ones_are_taken_as_coloured(tmp_path: Path) -> None:
    write(tmp_path, 5, 7, 3)
    grey = drawn(0, 5, 7)
    save(tmp_path / "train" / "cat" / "10.png", grey)
    assert (load_dataset(tmp_path).train_x[-1] == grey).all()


def beside(folder: Path) -> None:
    for name in ("ape", "cat"):
        (folder / "test" / name / "2.png").rename(folder / "test" / f"{name}.png")
        (folder / "test" / name / "10.png").unlink()


def alone(folder: Path) -> None:
    save(folder / "test" / "dog" / "1.png", drawn(0, 4, 4))


def missing(folder: Path) -> None:
    (folder / "test" / "cat").rename(folder / "test" / "bat")


def empty(folder: Path) -> None:
    (folder / "train" / "dog").mkdir()


def wide(folder: Path) -> None:
    save(folder / "test" / "cat" / "2.png", drawn(0, 4, 5))


def coloured(folder: Path) -> None:
    save(folder / "test" / "cat" / "2.png", drawn(0, 4, 4, 3))


def text(folder: Path) -> None:
    (folder / "train" / "cat" / "2.png").write_text("text")


def large(folder: Path) -> None:
    for part in ("train", "test"):
        (folder / part / "ape").rename(folder / part / "256")
        (folder / part / "cat").rename(folder / part / "0")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (beside, r"test holds images itself: put each into a folder of its class$"),
        (alone, r"test has the class dog, and .*train has not: put images of every class into bo"),
        (missing, r"train has the class cat, and .*test has not: put images of every class"),
        (empty, r"dog holds no image: every folder in .*train is a class, with images in it$"),
        (wide, r"2\.png has 5 x 4 pixels, but the first image, .*2\.png, has 4 x 4: make all im"),
        (coloured, r"2\.png is in colour, but the first image, .*, has one channel: make all ima"),
        (text, r"2\.png can't be read as an image \(cannot identify image file"),
        (large, r"train has the class 256: classes are 0 to 255$"),
    ],
)
def test_what_is_no_such_folder_is_said(tmp_path: Path, make: object, said: str) -> None:
    write(tmp_path, 4, 4)
    assert callable(make)
    make(tmp_path)
    with pytest.raises(DataError, match=said):
        load_dataset(tmp_path)


def test_without_pillow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 4, 4)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(DataError, match=r"Pillow reads: run pip install 'lutloom\[images\]'$"):
        load_dataset(tmp_path)
