"""What is on disk is what gets installed, under one name, with the versions that are pinned."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import import_module
from importlib.metadata import entry_points, version
from pathlib import Path, PurePosixPath

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
SETUPTOOLS = PYPROJECT["tool"]["setuptools"]
FOLDERS: dict[str, str] = SETUPTOOLS["package-dir"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]


def installed_as(package: str, path: Path) -> str:
    """Return the name inside a wheel of a file of this package."""
    inside = path.relative_to(ROOT / FOLDERS[package])
    return "/".join((*package.split("."), *inside.parts))


def files_of(package: str) -> list[Path]:
    """Return the files of a folder, what Python leaves there apart."""
    return sorted(
        path
        for path in (ROOT / FOLDERS[package]).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )


EVERYTHING = {installed_as(package, path) for package in FOLDERS for path in files_of(package)}


def constraints() -> dict[str, str]:
    """Return the pinned version of every distribution in constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = (line.split("==") for line in lines if not line.startswith("#"))
    return {canonicalize_name(name): pinned for name, pinned in pins}


def test_every_package_is_listed() -> None:
    found = {
        ".".join((package, *path.parent.relative_to(ROOT / directory).parts))
        for package, directory in FOLDERS.items()
        for path in (ROOT / directory).rglob("__init__.py")
    }
    assert found == set(SETUPTOOLS["packages"])


def test_every_module_is_in_a_package() -> None:
    packages = {name.replace(".", "/") for name in SETUPTOOLS["packages"]}
    modules = {name for name in EVERYTHING if name.endswith(".py")}
    assert {str(PurePosixPath(name).parent) for name in modules} <= packages


def test_every_data_file_is_package_data() -> None:
    covered = {
        installed_as(package, path)
        for package, patterns in SETUPTOOLS["package-data"].items()
        for pattern in patterns
        for path in (ROOT / FOLDERS[package]).glob(pattern)
    }
    assert {name for name in EVERYTHING if not name.endswith(".py")} <= covered


def test_the_version_is_said_once() -> None:
    import lutloom

    assert lutloom.__version__ == PROJECT["version"]


def test_the_command_leads_to_a_function() -> None:
    (target,) = PROJECT["scripts"].values()
    module, function = target.split(":")
    assert callable(getattr(__import__(module, fromlist=[function]), function))


def test_the_pytest_plugin_leads_to_a_module_of_fixtures() -> None:
    (module,) = PROJECT["entry-points"]["pytest11"].values()
    assert hasattr(import_module(module), "lutloom_design")


def test_all_is_every_extra_but_finn_and_dev() -> None:
    (everything,) = EXTRAS["all"]
    assert Requirement(everything).extras == set(EXTRAS) - {"all", "dev", "finn"}


def test_what_is_installed_together_is_pinned_within_its_range() -> None:
    pins = constraints()
    named = [
        *PROJECT["dependencies"],
        *EXTRAS["qat"],
        *EXTRAS["csim"],
        *EXTRAS["dask"],
        *EXTRAS["dev"],
    ]
    for requirement in map(Requirement, (*named, *PYPROJECT["build-system"]["requires"])):
        name = canonicalize_name(requirement.name)
        assert name in pins, f"{name} is not pinned in constraints.txt"
        assert requirement.specifier.contains(pins[name]), f"{name}=={pins[name]} is out of range"


@pytest.mark.parametrize(
    ("name", "pinned"),
    [("onnx", "1.21.0"), ("onnxruntime", "1.25.1"), ("brevitas", "0.13.0"), ("rich", "13.9.4")],
)
def test_the_ranges_leave_room_for_what_finn_pins(name: str, pinned: str) -> None:
    requirements = map(Requirement, (*PROJECT["dependencies"], *EXTRAS["qat"]))
    (ours,) = [requirement for requirement in requirements if requirement.name == name]
    assert ours.specifier.contains(pinned)


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_a_python_that_is_too_old_is_named(tmp_path: Path) -> None:
    old = tmp_path / "python3.9"
    old.write_text('#!/bin/sh\ncase "$2" in *print*) echo 3.9.2;; *) exit 1;; esac\n')
    old.chmod(0o755)
    shutil.copy(ROOT / "Makefile", tmp_path)
    run = subprocess.run(
        ["make", f"PYTHON={old}", "dev"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode != 0
    assert f"{old} is Python 3.9.2: lutloom needs 3.11 or newer" in run.stderr
    assert not (tmp_path / ".venv").exists()


@pytest.mark.slow
def test_the_wheel_holds_everything_under_one_name(tmp_path: Path) -> None:
    # in a copy: a build writes beside the sources
    for folder in FOLDERS.values():
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("pyproject.toml", "LICENSE", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"),
            *("--no-build-isolation", "--wheel-dir", "wheels", "."),
        ],
        cwd=tmp_path,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        check=True,
    )
    (wheel,) = (tmp_path / "wheels").iterdir()
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    information = f"lutloom-{PROJECT['version']}.dist-info"
    assert {name.split("/")[0] for name in names} == {"lutloom", information}
    assert {name for name in names if name.startswith("lutloom/")} == EVERYTHING
    assert f"{information}/licenses/LICENSE" in names


def test_the_installed_distribution_is_this_one() -> None:
    commands = {point.name: point.value for point in entry_points(group="console_scripts")}
    if "lutloom" not in commands:
        pytest.skip("needs lutloom to be installed, not only importable")
    assert version("lutloom") == PROJECT["version"]
    assert commands["lutloom"] == PROJECT["scripts"]["lutloom"]
