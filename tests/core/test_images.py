"""Folders of images are listed as people count them."""

from __future__ import annotations

from pathlib import Path

from lutloom.core.images import list_images, natural


def test_names_are_sorted_as_people_count() -> None:
    names = ["a10", "a2", "A1", "a02", "b", "10", "9", ""]
    assert sorted(names, key=natural) == ["", "9", "10", "A1", "a02", "a2", "a10", "b"]


def test_images_are_listed_with_their_classes_and_not_opened(tmp_path: Path) -> None:
    for name in ("cat/2.png", "cat/10.PNG", "ape/x.jpg", "ape/x.txt", ".git/y.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("no image")
    listed = list_images(tmp_path)
    assert listed.names == ("ape/x.jpg", "cat/2.png", "cat/10.PNG")
    assert (listed.classes, listed.class_names) == ((0, 1, 1), ("ape", "cat"))
    assert listed.first == tmp_path / "ape/x.jpg"
