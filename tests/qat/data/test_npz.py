"""Data sets in .npz files: bytes and whole numbers, under four names."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lutloom.qat.data import load_dataset
from lutloom.qat.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (5, 6, 4), np.uint8)
COLOURS = RNG.integers(0, 256, (5, 6, 4, 3), np.uint8)
LABELS = np.array([0, 2, 1, 0, 2])


def arrays(images: object = GREY, labels: object = LABELS, **more: object) -> dict[str, Any]:
    return {
        "train_images": images,
        "train_labels": labels,
        "test_images": np.asarray(images)[:2],
        "test_labels": np.asarray(labels)[:2],
    } | more


@pytest.mark.parametrize(
    ("images", "wanted"),
    [
        (GREY, GREY[:, None]),
        (GREY[:, None], GREY[:, None]),
        (GREY[..., None], GREY[:, None]),
        (COLOURS, COLOURS.transpose(0, 3, 1, 2)),
        (COLOURS.transpose(0, 3, 1, 2), COLOURS.transpose(0, 3, 1, 2)),
        (GREY[:, 0], GREY[:, :1, None].reshape(5, 1, 1, 4)),
        (GREY[:, :2, None], GREY[:, :2, None]),
        (GREY[:, :1, None], GREY[:, :1, None]),
    ],
)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("kind", [np.uint8, np.int64])
def test_images_and_labels_are_read(
    tmp_path: Path,
    images: np.ndarray[Any, Any],
    wanted: np.ndarray[Any, Any],
    save: Callable[..., None],
    kind: type,
) -> None:
    path = tmp_path / "mine.npz"
    save(path, **arrays(images, LABELS.astype(kind)))
    dataset = load_dataset(path)
    assert (dataset.name, dataset.classes, dataset.input_scale) == ("mine", 3, Fraction(1, 255))
    assert np.array_equal(dataset.train_x, wanted)
    assert dataset.train_x.flags.c_contiguous
    assert not dataset.train_x.flags.writeable
    assert dataset.test_x.shape == wanted[:2].shape
    assert dataset.train_y.tolist() == LABELS.tolist()
    assert dataset.test_y.dtype == np.uint8


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ({}, r" holds nothing: save train_images, train_labels, test_images, test_labels with "),
        (dict(x_train=GREY, y_train=LABELS), r" holds x_train, y_train: save train_images, train_"),
        (arrays(names=LABELS), r" holds train_images, .*, names: save train_images"),
        (
            arrays(GREY / 255),
            r"train_images in .* holds float64: save images as bytes from 0",
        ),
        (arrays(GREY.astype(np.int64)), r"holds int64: save images as bytes"),
        (arrays(GREY[:, 0, 0]), r"has the shape \[5\]: save images \[N, height, width\], or with "),
        (
            arrays(COLOURS[None]),
            r"has the shape \[1, 5, 6, 4, 3\]: .* \[N, channels, 1, length\], or ",
        ),
        (arrays(COLOURS[..., :2]), r"has the shape \[5, 6, 4, 2\]: save images"),
        (arrays(COLOURS[:, :3]), r"has the shape \[5, 3, 4, 3\]: save images"),
        (arrays(labels=LABELS / 2), r"train_labels in .* is an array \[5\] of float64: save label"),
        (arrays(labels=LABELS[:, None]), r"is an array \[5, 1\] of int64: save labels \[N\]"),
        (arrays(labels=LABELS - 1), r"has labels from -1 to 1: classes are 0 to 255$"),
        (arrays(labels=LABELS + 254), r"has labels from 254 to 256: classes are 0 to 255$"),
        (arrays(labels=LABELS[:3]), r"train_images holds 5 images, but train_labels 3 labels: the"),
        (arrays(test_labels=np.array([0, 3])), r"label 3 is tested, but the largest .* is 2: they"),
        (arrays(test_images=COLOURS[:2]), r"have 1 x 6 x 4 pixels and those to test 3 x 6 x 4: "),
        (arrays(test_images=GREY[:0], test_labels=LABELS[:0]), r"test_images holds no pixels"),
        (arrays(np.array([[[{}]]] * 5)), r"is no \.npz file of numbers \(Object arrays cannot be "),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, stored: dict[str, Any], said: str) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, **stored)
    with pytest.raises(DataError, match=said) as caught:
        load_dataset(path)
    assert str(path) in str(caught.value)


def test_what_is_no_npz_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, **arrays())
    whole = path.read_bytes()
    for content in (b"", b"text", whole[:100], whole[:-100], whole[:300] + b"x" + whole[301:]):
        path.write_bytes(content)
        with pytest.raises(DataError, match=rf"^{path} is no \.npz file of numbers \("):
            load_dataset(path)
    with path.open("wb") as file:
        np.save(file, GREY)
    with pytest.raises(DataError, match=rf"^{path} holds one array: save the four of a data set"):
        load_dataset(path)
