"""Dependencies point one way, and what is heavy is loaded where it is used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# What a folder may import of ours: a package, or one module of it. Everything may import itself.
MAY_IMPORT = {
    "app": (
        "boards",
        "codegen",
        "core",
        "hls_templates",
        "qat",
        "sim",
        "streamline",
    ),
    "boards": ("core",),
    "codegen": ("boards", "core", "hls_templates"),
    "core": (),
    "hls_templates": ("core",),
    "qat": ("core.errors", "core.files", "core.images", "core.input_note"),
    "sim": ("boards", "codegen", "core", "hls_templates"),
    "streamline": ("core",),
}

# Which folders may import which libraries; libraries that are not named are anybody's.
LIBRARIES = {
    "brevitas": ("qat",),
    "dask": ("app",),
    "distributed": ("app",),
    "flint": ("streamline",),
    "lightning": ("qat",),
    "pytorch_lightning": ("qat",),
    "sklearn": ("qat",),
    "torch": ("qat",),
    "torchmetrics": ("qat",),
    "onnx": ("streamline",),
    "onnxruntime": ("streamline",),
    "onnxscript": ("streamline",),
    "pytest": ("app",),
    "qonnx": ("streamline",),
    "finn": (),
    "hls4ml": (),  # its wheel ships headers: it is found, never imported
}

HEAVY = (
    "brevitas",
    "dask",
    "distributed",
    "flint",
    "hls4ml",
    "jinja2",
    "lightning",
    "numpy",
    "onnx",
    "onnxruntime",
    "qonnx",
    "sklearn",
    "torch",
)


def imported_names(tree: ast.AST) -> list[tuple[int, str]]:
    """Return the line and the dotted name of everything a module imports, wherever it does."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found += [(node.lineno, alias.name) for alias in names]
            case ast.ImportFrom(module=module, names=names, level=0):
                found += [(node.lineno, f"{module}.{alias.name}") for alias in names]
            case ast.ImportFrom(names=names):
                found += [(node.lineno, f".{alias.name}") for alias in names]
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__")
                | ast.Attribute(attr="import_module" | "__import__"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                found.append((node.lineno, name))
    return found


def why_not(folder: str, imported: str) -> str | None:
    """Return why a module of this folder must not import that name, or None where it may."""
    first, *rest = imported.split(".")
    if first == "":
        return "relative imports give a module two names"
    if first in MAY_IMPORT:
        return f"the folder {first} is importable as lutloom only"
    if first in LIBRARIES and folder not in LIBRARIES[first]:
        return f"{first} belongs to {' and '.join(LIBRARIES[first]) or 'nobody'}"
    if first != "lutloom":
        return None
    target = rest[0] if rest and rest[0] in MAY_IMPORT and rest[0] != "app" else "app"
    if target == folder:
        return None
    path = ".".join(rest)
    allowed = MAY_IMPORT[folder]
    if any(path == entry or path.startswith(f"{entry}.") for entry in allowed):
        return None
    return f"{folder} may import {', '.join(allowed) or 'nothing of ours'}"


def violations(path: str, source: str) -> list[str]:
    """Return a line for every import that a file at this path below the root must not have."""
    folder = path.split("/", maxsplit=1)[0]
    return [
        f"{path}:{line}: {name}: {reason}"
        for line, name in imported_names(ast.parse(source))
        if (reason := why_not(folder, name)) is not None
    ]


SOURCES = sorted(
    str(path.relative_to(ROOT)) for folder in MAY_IMPORT for path in (ROOT / folder).rglob("*.py")
)


def test_no_module_imports_against_the_rules() -> None:
    assert len(SOURCES) > len(MAY_IMPORT)
    assert [line for path in SOURCES for line in violations(path, (ROOT / path).read_text())] == []


def test_the_oracle_imports_nothing_of_ours() -> None:
    oracles = [path for path in SOURCES if path.startswith("streamline/oracle")]
    ours = [
        f"{path}:{line}: {name}"
        for path in oracles
        for line, name in imported_names(ast.parse((ROOT / path).read_text()))
        if name.split(".")[0] == "lutloom" and not name.startswith("lutloom.streamline.oracle")
    ]
    assert oracles
    assert ours == []


@pytest.mark.parametrize(
    ("path", "source", "reason"),
    [
        ("core/x.py", "import lutloom.sim", "core may import nothing of ours"),
        ("core/x.py", "from lutloom import boards", "core may import nothing of ours"),
        ("core/x.py", "from . import types", "relative imports give a module two names"),
        ("core/x.py", "import core.types", "the folder core is importable as lutloom only"),
        ("core/ops/x.py", "def f():\n    import onnx", "onnx belongs to streamline"),
        (
            "qat/x.py",
            "from lutloom.core.graph import Graph",
            "qat may import core.errors, core.files, core.images, core.input_note",
        ),
        ("qat/x.py", "from onnx import helper", "onnx belongs to streamline"),
        ("streamline/x.py", "import lutloom.codegen.plan", "streamline may import core"),
        ("streamline/x.py", "from lutloom import flow", "streamline may import core"),
        ("streamline/x.py", "import torch.nn as nn", "torch belongs to qat"),
        (
            "codegen/x.py",
            "import lutloom.sim.run",
            "codegen may import boards, core, hls_templates",
        ),
        ("boards/x.py", "import lutloom", "boards may import core"),
        ("app/x.py", "from brevitas import nn", "brevitas belongs to qat"),
        ("app/x.py", "import_module('torch.nn')", "torch belongs to qat"),
        ("sim/x.py", "importlib.import_module('hls4ml')", "hls4ml belongs to nobody"),
    ],
)
def test_a_forbidden_import_is_found_and_explained(path: str, source: str, reason: str) -> None:
    (line,) = violations(path, source)
    assert line.endswith(reason)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("app/x.py", "from lutloom.qat import train\nimport lutloom.flow, lutloom\nimport numpy"),
        ("core/ops/x.py", "from lutloom.core.types import Tensor\nimport numpy as np"),
        ("qat/x.py", "from lutloom.core.errors import LutloomError\nimport torch, lutloom.qat.zoo"),
        ("sim/x.py", "from lutloom.codegen import fold\nfind_spec('hls4ml')"),
        ("streamline/passes/x.py", "from lutloom import core\nimport onnx, qonnx.core"),
    ],
)
def test_an_allowed_import_is_let_through(path: str, source: str) -> None:
    assert violations(path, source) == []


def loaded_after(statement: str, directory: Path) -> set[str]:
    """Return the top-level modules that a fresh interpreter holds after the statement."""
    code = f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=directory, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


@pytest.mark.parametrize("module", ["lutloom", "lutloom.cli", "lutloom.boards"])
def test_importing_the_surface_loads_nothing_heavy(module: str, tmp_path: Path) -> None:
    assert loaded_after(f"import {module}", tmp_path).isdisjoint(HEAVY)


def test_a_heavy_module_would_be_seen(tmp_path: Path) -> None:
    assert "numpy" in loaded_after("import numpy", tmp_path)


def test_no_module_is_named_like_a_public_function() -> None:
    import lutloom

    modules = {path.stem for path in (ROOT / "app").iterdir()} | set(MAY_IMPORT)
    assert lutloom.__all__
    assert modules.isdisjoint(lutloom.__all__)
