"""CIFAR's binary files, unpacked or in their archive."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lutloom.qat.data import load_dataset
from lutloom.qat.data.cifar import BOTH, CIFAR10, CIFAR100, Cifar
from lutloom.qat.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def records(cifar: Cifar, seed: int, count: int = 3) -> NDArray[np.uint8]:
    """Return records of random pixels and labels, the first with the highest label."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, 256, (count, cifar.label_bytes + 3072), np.uint8)
    drawn[:, 0] = rng.integers(0, 20, count)
    drawn[:, cifar.label_bytes - 1] = rng.integers(0, cifar.classes, count)
    drawn[:1, cifar.label_bytes - 1] = cifar.classes - 1
    return drawn


def write_files(cifar: Cifar, folder: Path) -> dict[str, NDArray[np.uint8]]:
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: records(cifar, seed) for seed, name in enumerate(cifar.files)}
    for name, content in files.items():
        (folder / name).write_bytes(content.tobytes())
    return files


def write_archive(
    path: Path, members: dict[str, bytes], links: dict[str, str] | None = None
) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, target in (links or {}).items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            tar.addfile(link)
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def contents(cifar: Cifar) -> dict[str, bytes]:
    return {
        f"{cifar.folder}/{name}": records(cifar, seed).tobytes()
        for seed, name in enumerate(cifar.files)
    }


@pytest.mark.parametrize("cifar", BOTH, ids=lambda cifar: cifar.name)
@pytest.mark.parametrize("where", ["here", "inside", "archive", "folder of archive"])
def test_files_are_read_wherever_they_lie(cifar: Cifar, where: str, tmp_path: Path) -> None:
    files = write_files(cifar, tmp_path / cifar.folder)
    archive = write_archive(tmp_path / cifar.archive, contents(cifar))
    if where == "folder of archive":
        (tmp_path / cifar.folder).rename(tmp_path / "elsewhere")
    source = {"here": tmp_path / cifar.folder, "archive": archive}.get(where, tmp_path)
    dataset = load_dataset(source)
    assert (dataset.name, dataset.classes) == (cifar.name, cifar.classes)
    train = np.concatenate([files[name] for name in cifar.train])
    for images, labels, wanted in (
        (dataset.train_x, dataset.train_y, train),
        (dataset.test_x, dataset.test_y, files[cifar.test]),
    ):
        assert images.dtype == labels.dtype == np.uint8
        assert labels.tolist() == wanted[:, cifar.label_bytes - 1].tolist()
        # red, then green, then blue; row by row
        assert images.shape == (len(wanted), 3, 32, 32)
        assert images[1, 2, 5, 7] == wanted[1, cifar.label_bytes + 2 * 1024 + 5 * 32 + 7]
        assert np.array_equal(images.reshape(len(wanted), -1), wanted[:, cifar.label_bytes :])


def test_the_labels_of_cifar100_are_the_fine_ones(tmp_path: Path) -> None:
    files = write_files(CIFAR100, tmp_path)
    files["train.bin"][:, 0], files["train.bin"][:, 1] = 7, 93
    (tmp_path / "train.bin").write_bytes(files["train.bin"].tobytes())
    assert set(load_dataset(tmp_path).train_y.tolist()) == {93}


@pytest.mark.parametrize("cifar", BOTH, ids=lambda cifar: cifar.name)
def test_a_missing_file_is_named(cifar: Cifar, tmp_path: Path) -> None:
    write_files(cifar, tmp_path)
    (tmp_path / cifar.test).unlink()
    with pytest.raises(DataError, match=rf"^{tmp_path} has no {cifar.test}: unpack all of cifar-1"):
        load_dataset(tmp_path)
    members = contents(cifar)
    del members[f"{cifar.folder}/{cifar.test}"]
    archive = write_archive(tmp_path / cifar.archive, members)
    with pytest.raises(DataError, match=rf"^{archive} holds no {cifar.folder}/{cifar.test}: is it"):
        load_dataset(archive)


@pytest.mark.parametrize("cut", [1, 3072])
def test_a_file_that_was_cut_off_is_named(tmp_path: Path, cut: int) -> None:
    write_files(CIFAR10, tmp_path)
    path = tmp_path / "data_batch_3.bin"
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(DataError, match=rf"^{path} holds .* no whole number of records of 3073 by"):
        load_dataset(tmp_path)


def test_an_empty_file_and_a_label_that_is_no_class_are_refused(tmp_path: Path) -> None:
    write_files(CIFAR10, tmp_path)
    wrong = records(CIFAR10, 0)
    wrong[2, 0] = 10
    (tmp_path / "data_batch_3.bin").write_bytes(wrong.tobytes())
    with pytest.raises(DataError, match=r"label 10 is trained, but the largest label to .* is 9"):
        load_dataset(tmp_path)
    write_files(CIFAR10, tmp_path)
    (tmp_path / "test_batch.bin").write_bytes(b"")
    with pytest.raises(DataError, match=r"test_batch.bin holds no pixels: fetch the file again"):
        load_dataset(tmp_path)


def test_paths_in_an_archive_lead_nowhere(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "folder"
    folder.mkdir(parents=True)
    secret = tmp_path / "secret"
    secret.write_bytes(records(CIFAR10, 9).tobytes())
    evil = records(CIFAR10, 8).tobytes()
    hostile = {
        "../data_batch_1.bin": evil,
        f"{tmp_path}/data_batch_1.bin": evil,
        f"{CIFAR10.folder}/../../data_batch_1.bin": evil,
        f"x/{CIFAR10.folder}/data_batch_1.bin": evil,
    }
    links = {f"{CIFAR10.folder}/data_batch_1.bin": str(secret), "link": str(tmp_path)}
    archive = write_archive(folder / CIFAR10.archive, hostile | contents(CIFAR10), links)
    before = sorted(tmp_path.rglob("*"))
    dataset = load_dataset(archive)
    assert sorted(tmp_path.rglob("*")) == before
    wanted = records(CIFAR10, 0)[:, 1:]
    assert np.array_equal(dataset.train_x[:3].reshape(3, -1), wanted)


def test_a_member_that_claims_too_much_is_not_unpacked(tmp_path: Path) -> None:
    member = tarfile.TarInfo(f"{CIFAR10.folder}/data_batch_1.bin")
    member.size = 2**40
    archive = tmp_path / CIFAR10.archive
    archive.write_bytes(member.tobuf())
    with pytest.raises(DataError, match=rf"^{archive} is damaged: .* claims 1,099,511,627,776 byt"):
        load_dataset(archive)


@pytest.mark.parametrize("keep", [0, 1, 100, 20_000])
def test_a_damaged_archive_is_named(tmp_path: Path, keep: int) -> None:
    archive = write_archive(tmp_path / CIFAR10.archive, contents(CIFAR10))
    archive.write_bytes(archive.read_bytes()[:keep])
    with pytest.raises(DataError, match=rf"^{archive} (is a damaged archive \(|can't be read: )"):
        load_dataset(archive)


@pytest.mark.parametrize("place", [-5, -1, 30_000])
def test_a_bit_that_flipped_in_an_archive_is_seen(tmp_path: Path, place: int) -> None:
    archive = write_archive(tmp_path / CIFAR10.archive, contents(CIFAR10))
    content = bytearray(archive.read_bytes())
    content[place] ^= 1
    archive.write_bytes(content)
    with pytest.raises(DataError, match=rf"^{archive} is a damaged archive \("):
        load_dataset(archive)


def test_both_in_one_folder_are_told_apart(tmp_path: Path) -> None:
    for cifar in BOTH:
        write_files(cifar, tmp_path / cifar.folder)
        assert load_dataset(tmp_path / cifar.folder).name == cifar.name
    with pytest.raises(DataError, match=rf"^{tmp_path} holds cifar10 and cifar100: put each data"):
        load_dataset(tmp_path)
