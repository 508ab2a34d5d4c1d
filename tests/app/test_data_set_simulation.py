"""``simulate`` over whole data sets: from files and folders, to files, with an exit status."""

from __future__ import annotations

import os
import pty
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import lutloom
from lutloom.ahead import ahead
from lutloom.core.errors import LutloomError
from lutloom.data_set import open_data
from tests.app.commands import MAIN, Invoke, contents
from tests.app.test_refusals import refused
from tests.models import Writer, write

if TYPE_CHECKING:
    from numpy.typing import NDArray

IMAGES = 23


@pytest.fixture(scope="module")
def bytes_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a build that takes bytes, ``[N, 1, 4, 4]``, and tells twelve classes apart."""
    directory = tmp_path_factory.mktemp("bytes")
    rng, w = np.random.default_rng(5), Writer()
    x = w.matmul(w.reshape("x", (-1, 16)), rng.integers(-3, 4, size=(16, 12)), bits=3)
    model = write(w.model(x, 1, 4, 4), directory)
    lutloom.compile(model, directory / "build", input_type="uint8", input_scale="1/256")
    return directory / "build"


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.uint8]:
    return np.random.default_rng(6).integers(256, size=(IMAGES, 1, 4, 4)).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(
    bytes_build: Path, pixels: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return the images by the classes that the build tells, but for every fifth one."""
    image = pytest.importorskip("PIL.Image", reason="needs Pillow")
    directory = tmp_path_factory.mktemp("folder")
    told = lutloom.simulate(bytes_build, pixels).first.argmax(axis=1)
    for index, (array, class_) in enumerate(zip(pixels, told, strict=True)):
        place = directory / str((class_ + (index % 5 == 0)) % 12)
        place.mkdir(exist_ok=True)
        image.fromarray(array[0]).save(place / f"{index}.png")
    return directory


def test_a_folder_gives_images_and_labels(
    invoke: Invoke, bytes_build: Path, pixels: NDArray[np.uint8], folder: Path, tmp_path: Path
) -> None:
    confusion = tmp_path / "confusion.csv"
    result = lutloom.simulate(bytes_build, folder, batch=4, confusion=confusion, threads=2)
    names = ([int(path.stem) for path in (folder / str(place)).glob("*")] for place in range(12))
    order = [name for place in names for name in sorted(place)]
    wanted = lutloom.simulate(bytes_build, pixels[order])
    assert np.array_equal(result.outputs, wanted.outputs)
    wrong = -(-IMAGES // 5)
    assert result.correct == IMAGES - wrong
    assert result.confusion.shape == (12, 12)
    assert result.confusion.sum() == IMAGES
    header, *rows = confusion.read_text().splitlines()
    assert header == "label,0,1,2,3,4,5,6,7,8,9,10,11"
    assert [[int(n) for n in row.split(",")][1:] for row in rows] == result.confusion.tolist()
    ended = invoke("simulate", bytes_build, "--data", folder, "--min-accuracy", "0.9")
    assert ended.status == 1
    assert f"{IMAGES - wrong} of {IMAGES} labels met (" in ended.out
    assert " among the five largest outputs (" in ended.out
    assert "The accuracy should be at least 90.00%." in ended.out
    assert invoke("simulate", bytes_build, "--data", folder, "--min-accuracy", "0.5").status == 0


def test_pixels_of_a_model_of_floats_are_scaled_as_in_training(
    invoke: Invoke, tmp_path: Path
) -> None:
    image = pytest.importorskip("PIL.Image", reason="needs Pillow")
    rng, w = np.random.default_rng(8), Writer()
    x = w.reshape(w.quant("x", 0.25, bits=4), (-1, 12))
    x = w.matmul(x, rng.integers(-3, 4, size=(12, 4)), bits=3)
    lutloom.compile(write(w.model(x, 3, 2, 2), tmp_path), tmp_path / "build")
    pixels = rng.integers(256, size=(5, 2, 2, 3)).astype(np.uint8)
    (tmp_path / "images").mkdir()
    for index, array in enumerate(pixels):
        image.fromarray(array).save(tmp_path / "images" / f"{index}.png")
    ended = invoke(
        "simulate", tmp_path / "build", "--data", tmp_path / "images", "--output",
        tmp_path / "y.npy", "--white", "2", "--mean", "0.5,0.25,1", "--std", "0.5",
    )  # fmt: skip
    assert (ended.status, ended.err) == (0, "")
    mean = np.array([0.5, 0.25, 1], np.float32)
    floats = (pixels / np.float32(127.5) - mean) / np.float32(0.5)
    wanted = lutloom.simulate(tmp_path / "build", floats.transpose(0, 3, 1, 2))
    assert np.array_equal(np.load(tmp_path / "y.npy"), wanted.outputs)
    plain = lutloom.simulate(tmp_path / "build", tmp_path / "images").outputs
    assert not np.array_equal(plain, wanted.outputs)


def test_a_folder_of_a_part_of_the_classes_has_their_numbers(
    bytes_build: Path, folder: Path, tmp_path: Path
) -> None:
    used = max(int(path.name) for path in folder.iterdir())
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / str(used)).symlink_to(folder / str(used))
    result = lutloom.simulate(bytes_build, tmp_path / "data")
    assert result.scores is not None
    assert {label for label, _ in result.scores.pairs} == {used}


def test_compile_and_verify_take_folders_too(
    invoke: Invoke, bytes_build: Path, folder: Path, tmp_path: Path
) -> None:
    ended = invoke("verify", bytes_build, "--no-csim", "--data", folder, "--samples", "3")
    assert (ended.status, ended.err) == (0, "")
    assert "All stages agree on 3 images." in ended.out
    model = bytes_build / "model.onnx"
    options = ("--input-type", "uint8", "--input-scale", "1/256", "--data", folder)
    assert invoke("compile", model, "-o", tmp_path / "b", *options).status == 0
    samples = lutloom.load_build(tmp_path / "b").samples()
    assert samples is not None
    network = lutloom.load_build(bytes_build).network
    assert isinstance(samples, dict)
    assert np.array_equal(samples["x"], open_data(folder, network).first(16)["x"])


@pytest.mark.parametrize("batch", [1, 7, 100])
def test_the_outputs_are_the_same_in_every_batch_and_file(
    batch: int, bytes_build: Path, pixels: NDArray[np.uint8], tmp_path: Path
) -> None:
    wanted = lutloom.simulate(bytes_build, pixels)
    np.save(tmp_path / "x.npy", pixels)
    np.savez_compressed(tmp_path / "x.npz", x=np.asfortranarray(pixels))
    name = lutloom.load_build(bytes_build).network.output.name
    for source in ("x.npy", "x.npz"):
        for output in ("y.npy", "y.npz"):
            result = lutloom.simulate(
                bytes_build, tmp_path / source, batch=batch, output=tmp_path / output, keep=False
            )
            assert result.images == IMAGES
            with pytest.raises(LutloomError, match=r"^the outputs were not kept: simulate with"):
                _ = result.outputs
        assert np.array_equal(np.load(tmp_path / "y.npy"), wanted.outputs)
        assert np.array_equal(np.load(tmp_path / "y.npz")[name], wanted.outputs)
    np.save(tmp_path / "z.npy", wanted.outputs)
    assert (tmp_path / "y.npy").read_bytes() == (tmp_path / "z.npy").read_bytes()


def test_a_limit_takes_the_first_images_and_their_labels(
    bytes_build: Path, pixels: NDArray[np.uint8]
) -> None:
    told = lutloom.simulate(bytes_build, pixels).first.argmax(axis=1)
    told[5:] = 0
    for limit in (1, 5, IMAGES + 1):
        result = lutloom.simulate(bytes_build, pixels, labels=told, limit=limit, batch=2)
        assert result.images == len(result.first) == min(limit, IMAGES)
        assert result.scores is not None
        assert result.scores.images == min(limit, IMAGES)
        assert limit > 5 or result.accuracy == 1


def test_an_output_that_differs_is_named_with_status_1(
    invoke: Invoke, bytes_build: Path, pixels: NDArray[np.uint8], tmp_path: Path
) -> None:
    np.save(tmp_path / "x.npy", pixels)
    base = ("simulate", bytes_build, "--data", tmp_path / "x.npy")
    assert invoke(*base, "--output", tmp_path / "y.npy").status == 0
    assert invoke(*base, "--expect", tmp_path / "y.npy", "--batch", "5").status == 0
    wrong = np.load(tmp_path / "y.npy")
    wrong[17, 3] += 2
    np.save(tmp_path / "wrong.npy", wrong)
    ended = invoke(*base, "--expect", tmp_path / "wrong.npy", "--batch", "5")
    assert ended.status == 1
    assert (
        f"[17, 3] is {wrong[17, 3] - 2} instead of {wrong[17, 3]}; numbers that differ: 1, in"
        in ended.out
    )
    np.save(tmp_path / "short.npy", wrong[1:])
    refused(invoke(*base, "--expect", tmp_path / "short.npy"), "has the shape [22, 12], and should")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--min-accuracy", "0.5"), "there are no labels, of which an accuracy or a confusion"),
        (("--confusion", "c.csv"), "there are no labels, of which an accuracy or a confusion"),
        (("--instructions", "mmx", "--engine", "compiled"), "no instructions 'mmx': use one of po"),
        (("--instructions", "avx2", "--engine", "csim"), "the csim engine uses no vectors: leave"),
        (("--seed", "1"), "the seed is for the adversarial engine: use that one, or leave"),
        (("--seed", "0", "--engine", "csim"), "the seed is for the adversarial engine: use"),
        (("--trace", "nowhere"), "there is no layer 'nowhere': near to it are '"),
        (("--output", "a.npy", "--confusion", "a.npy", "--labels", "y.npy"), "two outputs should"),
        (("--output", "no/a.npy"), "no/a.npy can't be written: no is no directory"),
        (("--labels", "y.npy", "--confusion", "y.npy"), "y.npy is the input itself: write the"),
        (("--expect", "e.npy", "--output", "e.npy"), "e.npy is the input itself: write the outpu"),
        (("--labels", "twelve.npy"), "the label of image 0 is 12, but the model tells 12 classes"),
        (("--mean", "x"), "--mean is 'x': give a number, or one for each channel"),
    ],
)
def test_wishes_that_can_not_be_met_are_refused(
    options: tuple[str, ...],
    said: str,
    invoke: Invoke,
    bytes_build: Path,
    pixels: NDArray[np.uint8],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", pixels)
    np.save("y.npy", np.zeros(IMAGES, np.int64))
    np.save("twelve.npy", np.full(IMAGES, 12))
    np.save("e.npy", np.zeros((IMAGES, 12)))
    before = contents(tmp_path)
    refused(invoke("simulate", bytes_build, "--data", "x.npy", *options), said)
    assert contents(tmp_path) == before


def test_shares_of_nothing_are_refused(bytes_build: Path, pixels: NDArray[np.uint8]) -> None:
    none, labels = pixels[:0], np.zeros(0, np.int64)
    with pytest.raises(LutloomError, match=r"^there are no images, of which an accuracy could be"):
        lutloom.simulate(bytes_build, none, labels=labels, min_accuracy=0.5)
    with pytest.raises(LutloomError, match=r"^the least accuracy is 50: it should be a share from"):
        lutloom.simulate(bytes_build, pixels, labels=np.zeros(IMAGES), min_accuracy=50)
    with pytest.raises(LutloomError, match=r"^there is no confusion matrix without labels"):
        _ = lutloom.simulate(bytes_build, pixels).confusion


@pytest.mark.parametrize("option", ["limit", "batch", "threads"])
def test_counts_of_nothing_are_refused(
    option: str, bytes_build: Path, pixels: NDArray[np.uint8]
) -> None:
    for number in (0, -1):
        with pytest.raises(LutloomError, match=rf"^{option} is {number}: it should be at least 1$"):
            lutloom.simulate(bytes_build, pixels, **{option: number})  # type: ignore[arg-type]


def test_images_are_not_replaced_by_what_is_made_of_them(bytes_build: Path, folder: Path) -> None:
    before = contents(folder)
    image = folder / next(iter(before))
    for option in ("output", "confusion"):
        with pytest.raises(LutloomError, match=r"\.png is the input itself: write the outputs to"):
            lutloom.simulate(bytes_build, folder, **{option: image})  # type: ignore[arg-type]
    assert contents(folder) == before


def test_folders_have_their_own_labels(bytes_build: Path, folder: Path) -> None:
    with pytest.raises(LutloomError, match=r"^the folders of the images are their labels: leave"):
        lutloom.simulate(bytes_build, folder, labels=np.zeros(IMAGES, np.int64))


@pytest.mark.parametrize("output", ["y.npy", "y.npz"])
def test_data_that_end_badly_leave_no_outputs(
    output: str, bytes_build: Path, folder: Path, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for index, path in enumerate(sorted(folder.rglob("*.png"))):
        (images / f"{index}.png").symlink_to(path)
    (images / "9999.png").write_text("no image")
    (tmp_path / output).write_text("before")
    with pytest.raises(LutloomError, match=r"9999\.png can't be read as an image"):
        lutloom.simulate(bytes_build, images, batch=4, output=tmp_path / output)
    assert (tmp_path / output).read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", output]


def test_a_full_disk_is_named_and_leaves_nothing(
    bytes_build: Path, pixels: NDArray[np.uint8], tmp_path: Path
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, before[1]))
    try:
        for output in ("y.npy", "y.npz"):
            with pytest.raises(LutloomError, match=r"can't be written: File too large$"):
                lutloom.simulate(bytes_build, pixels, output=tmp_path / output, batch=3)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_sees_a_bar_with_the_rate_and_a_log_none(
    bytes_build: Path, pixels: NDArray[np.uint8], tmp_path: Path
) -> None:
    np.save(tmp_path / "x.npy", pixels)
    command = [sys.executable, "-c", MAIN, "simulate", str(bytes_build), "--data"]
    command += [str(tmp_path / "x.npy"), "--batch", "1"]
    reader, writer = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=writer, env=environment, check=True, text=True
    )
    os.close(writer)
    shown = b""
    while chunk := read(reader):
        shown += chunk
    os.close(reader)
    assert f"{IMAGES}/{IMAGES}".encode() in shown
    assert b" images/s" in shown
    log = subprocess.run(command, capture_output=True, check=True, text=True)
    assert log.stderr == ""
    assert done.stdout.startswith(f"{IMAGES} images in ")


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other end is closed
        return b""


def test_reading_ahead_keeps_order_and_passes_errors_on() -> None:
    assert list(ahead(iter(range(1, 50)))) == list(range(1, 50))
    assert list(ahead(iter(()))) == []

    def failing() -> Iterator[int]:
        yield 1
        raise RuntimeError("broken")

    items = ahead(failing())
    assert next(items) == 1
    with pytest.raises(RuntimeError, match=r"^broken$"):
        next(items)


@pytest.mark.parametrize("option", [("--white", "255"), ("--mean", "0.5"), ("--std", "0.5,0.4")])
def test_numbers_of_images_are_refused_where_there_are_none(
    invoke: Invoke, float_build: Path, models: Path, option: tuple[str, str]
) -> None:
    ended = invoke("simulate", float_build, "--data", models / "float.npy", *option)
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("lutloom: white, mean and std say what the bytes of images stand ")
