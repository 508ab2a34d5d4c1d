"""Folders of images give the very numbers that PyTorch would make of them, and their classes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lutloom.core.errors import DataFileError
from lutloom.core.ports import InputPort
from lutloom.image_folder import Pixels, numbers, open_folder

if TYPE_CHECKING:
    from numpy.typing import NDArray

pytest.importorskip("PIL", reason="needs Pillow")


def port(*shape: int, is_raw: bool = True) -> InputPort:
    return InputPort("x", "x", shape, (), is_raw)


def save(path: Path, pixels: NDArray[np.uint8], mode: str | None = None, **options: object) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path, **options)  # type: ignore[arg-type]


def random_pixels(seed: int, *shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(256, size=shape).astype(np.uint8)


def read(folder: Path, to: InputPort, pixels: Pixels | None = None) -> NDArray[Any]:
    rows = open_folder(folder, to, pixels or Pixels()).rows
    return np.concatenate(list(rows.chunks(rows.count, 2)))


COLOURED = random_pixels(0, 3, 6, 4, 3)
GREY = COLOURED[..., 0]


@pytest.mark.parametrize(
    ("images", "shape", "wanted"),
    [
        (COLOURED, (3, 6, 4), COLOURED.transpose(0, 3, 1, 2)),
        (COLOURED, (6, 4, 3), COLOURED),
        (COLOURED, (72,), COLOURED.transpose(0, 3, 1, 2).reshape(3, 72)),
        (GREY, (1, 6, 4), GREY[:, np.newaxis]),
        (GREY, (6, 4, 1), GREY[..., np.newaxis]),
        (GREY, (6, 4), GREY),
        (GREY, (24,), GREY.reshape(3, 24)),
        (GREY, (3, 6, 4), np.stack([GREY] * 3, axis=1)),
        (np.stack([GREY] * 3, axis=3), (1, 6, 4), GREY[:, np.newaxis]),
    ],
)
@pytest.mark.parametrize("suffix", [".png", ".BMP", ".ppm", ".tiff"])
def test_pixels_come_in_the_order_of_the_model(
    suffix: str,
    images: NDArray[np.uint8],
    shape: tuple[int, ...],
    wanted: NDArray[np.uint8],
    tmp_path: Path,
) -> None:
    for index, image in zip((2, 10, 1), images[[1, 2, 0]], strict=True):
        save(tmp_path / f"image{index}{suffix}", image)
    (tmp_path / ".hidden.png").write_text("no image")
    (tmp_path / "notes.txt").write_text("no image")
    found = read(tmp_path, port(*shape))
    assert found.dtype == np.uint8
    assert np.array_equal(found, wanted)


@pytest.mark.parametrize(
    "pixels",
    [
        Pixels(),
        Pixels(white=255),
        Pixels(mean=(0.5,), std=(0.5,)),
        Pixels(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    ],
    ids=str,
)
def test_floats_are_those_of_pytorch(pixels: Pixels, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="needs torch")
    every = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = np.stack([every, every.T, 255 - every], axis=2)
    save(tmp_path / "x.png", image)
    wanted = torch.from_numpy(image.transpose(2, 0, 1).copy()).float()
    if pixels.white == 1:
        wanted = wanted.div(255)
    if pixels.mean:
        mean, std = (torch.tensor(n).view(-1, 1, 1) for n in (pixels.mean, pixels.std))
        wanted = wanted.sub_(mean).div_(std)
    (found,) = read(tmp_path, port(3, 16, 16, is_raw=False), pixels)
    # Bytes are the fast way into the engine.
    assert found.dtype == (np.uint8 if pixels.are_bytes else np.float32)
    assert np.array_equal(found, wanted.numpy())


def test_modes_that_hold_the_same_pixels_give_the_same(tmp_path: Path) -> None:
    black_and_white = GREY[0] & 128
    black_and_white[black_and_white > 0] = 255
    modes = ("L", "1", "P", "RGB", "RGBA", "LA")
    for index, mode in enumerate(modes):
        save(tmp_path / f"{index}.png", black_and_white, mode)
    for shape in ((3, 6, 4), (1, 6, 4)):
        found = read(tmp_path, port(*shape))
        assert found.shape == (len(modes), *shape)
        assert (found == black_and_white).all()


def test_sub_folders_are_classes_in_natural_order(tmp_path: Path) -> None:
    for index, name in enumerate(("b10/1.png", "b9/10.png", "b9/9.png", "A/z.png")):
        save(tmp_path / name, np.full((2, 2), index, np.uint8))
    folder = open_folder(tmp_path, port(2, 2), Pixels())
    assert folder.labels is not None
    assert folder.labels.tolist() == [0, 1, 1, 2]
    assert folder.class_names == ("A", "b9", "b10")
    assert read(tmp_path, port(2, 2))[:, 0, 0].tolist() == [3, 2, 1, 0]


def test_folders_with_numbers_for_names_are_those_classes(tmp_path: Path) -> None:
    for name in ("7", "03", "10"):
        save(tmp_path / name / "x.png", np.full((2, 2), int(name), np.uint8))
    folder = open_folder(tmp_path, port(2, 2), Pixels())
    assert folder.labels is not None
    assert (folder.labels.tolist(), folder.class_names) == ([3, 7, 10], ())
    assert read(tmp_path, port(2, 2))[:, 0, 0].tolist() == [3, 7, 10]
    (tmp_path / "007").mkdir()
    save(tmp_path / "007" / "x.png", np.zeros((2, 2), np.uint8))
    with pytest.raises(DataFileError, match=r"^two folders in .* are one class"):
        open_folder(tmp_path, port(2, 2), Pixels())


def nothing(folder: Path) -> None:
    (folder / "image.txt").write_text("text")


def no_class(folder: Path) -> None:
    save(folder / "cat" / "x.png", COLOURED[0])
    (folder / "dog").mkdir()


def both(folder: Path) -> None:
    save(folder / "cat" / "x.png", COLOURED[0])
    save(folder / "x.png", COLOURED[0])


def text(folder: Path) -> None:
    (folder / "x.png").write_text("text")


def cut(folder: Path) -> None:
    save(folder / "x.png", random_pixels(1, 6, 4, 3))
    content = (folder / "x.png").read_bytes()
    (folder / "x.png").write_bytes(content[:-40])


def wide(folder: Path) -> None:
    save(folder / "x.png", COLOURED[0][:, :3])


def deep(folder: Path) -> None:
    from PIL import Image

    Image.fromarray(GREY[0].astype(np.uint16)).save(folder / "x.png")


def deep_colour(folder: Path) -> None:
    """Write a PNG of 16 bits a channel, chunk by chunk: Pillow writes none."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    rows = zlib.compress(6 * (b"\0" + 4 * 3 * b"\1\2"))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 6, 16, 2, 0, 0, 0))
    content = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    (folder / "x.png").write_bytes(content)


def transparent(folder: Path) -> None:
    save(folder / "x.png", np.concatenate([COLOURED[0], GREY[0][..., np.newaxis]], axis=2))


def colourful(folder: Path) -> None:
    save(folder / "x.png", COLOURED[0])


@pytest.mark.parametrize(
    ("make", "shape", "said"),
    [
        (nothing, (3, 6, 4), r" holds no image: name a folder of files \.bmp, "),
        (no_class, (3, 6, 4), r"dog holds no image: every folder in .* is a class, with images in"),
        (both, (3, 6, 4), r" holds images beside folders of images: put each into the folder of"),
        (
            text,
            (3, 6, 4),
            r"x\.png can't be read as an image \(cannot identify image file .*\): sa",
        ),
        (text, (72,), r"x\.png can't be read as an image"),
        (cut, (3, 6, 4), r"x\.png can't be read as an image \("),
        (wide, (3, 6, 4), r"x\.png has 3 x 6 pixels, but the model takes 4 x 6: prepare the imag"),
        (
            wide,
            (72,),
            r"x\.png has 3 x 6 pixels, but the model takes 72 numbers, which should be o",
        ),
        (deep_colour, (3, 6, 4), r"x\.png has pixels of another kind than bytes: save it with"),
        (
            deep,
            (3, 6, 4),
            r"x\.png has pixels of another kind than bytes: save it with 8 bits for each chann",
        ),
        (transparent, (3, 6, 4), r"x\.png is transparent in places: save it without an alpha chan"),
        (colourful, (1, 6, 4), r"x\.png is in colour, but the model takes one channel: prepare"),
        (
            colourful,
            (2, 6, 4),
            r"input 'x' has the shape \['N', 2, 6, 4\], which is no image of on",
        ),
        (
            colourful,
            (),
            r"input 'x' has the shape \['N'\], which is no image of one or three chann",
        ),
    ],
)
def test_what_is_no_folder_of_such_images_is_said(
    make: Callable[[Path], None], shape: tuple[int, ...], said: str, tmp_path: Path
) -> None:
    make(tmp_path)
    with pytest.raises(DataFileError, match=said):
        read(tmp_path, port(*shape))


@pytest.mark.parametrize(
    ("pixels", "is_raw", "said"),
    [
        (
            Pixels(mean=(0.5,)),
            True,
            r"^the model's input 'x' holds the bytes of images as they are",
        ),
        (Pixels(mean=(0.5, 0.5)), False, r"^mean has 2 numbers, and the images have 3 channels: g"),
        (Pixels(std=(0.0,)), False, r"^white and std should be positive: every number is divided"),
        (Pixels(white=float("nan")), False, r"^white and std should be positive"),
    ],
)
def test_numbers_that_images_do_not_have_are_said(
    pixels: Pixels, is_raw: bool, said: str, tmp_path: Path
) -> None:
    colourful(tmp_path)
    with pytest.raises(DataFileError, match=said):
        open_folder(tmp_path, port(3, 6, 4, is_raw=is_raw), pixels)


def test_numbers_are_listed_with_commas() -> None:
    assert numbers("mean", "0.5,-1e-2") == (0.5, -0.01)
    assert numbers("mean", None) == ()
    with pytest.raises(DataFileError, match=r"^--mean is '0\.5;1': give a number, or one for each"):
        numbers("mean", "0.5;1")
