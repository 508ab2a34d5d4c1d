"""Every operator has all its pieces; what is missing is named."""

from __future__ import annotations

import importlib
import re
from importlib.resources import files
from pathlib import Path

import pytest

from lutloom.codegen.kernels import KERNELS, NO_PROCESS
from lutloom.codegen.schedules import SCHEDULES
from lutloom.codegen.timing import PIPELINE_DEPTH
from lutloom.core.ops import OPERATORS

TESTS = Path(__file__).parent
TEMPLATES = files("lutloom.hls_templates")

PROCESSES = sorted(set(OPERATORS) - NO_PROCESS)


def test_every_operator_is_a_process_or_is_listed_as_none() -> None:
    assert sorted(KERNELS) == PROCESSES
    assert set(OPERATORS) >= NO_PROCESS


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_the_module_is_named_like_the_operator_and_opens_with_its_equation(name: str) -> None:
    operator = OPERATORS[name]
    # A protocol with data members has no issubclass.
    assert all(hasattr(operator, member) for member in ("name", "infer", "reference"))
    module = importlib.import_module(f"lutloom.core.ops.{name}")
    assert operator.__module__ == module.__name__
    assert module.__doc__ is not None
    assert re.match(r"``[^`]* = [^`]*``", module.__doc__), f"{name}: its docstring has no equation"


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_the_operator_is_under_test(name: str) -> None:
    # One file holds what all have in common; an operator may have one of its own beside it.
    tests = (TESTS / "core" / "ops").glob("test_*.py")
    made = re.compile(rf"\b{OPERATORS[name].__name__}\(")
    assert any(made.search(path.read_text(encoding="utf-8")) for path in tests), (
        f"{name}: no test in tests/core/ops makes one"
    )


@pytest.mark.parametrize("name", PROCESSES)
def test_the_kernel_has_a_module_a_template_and_tests(name: str) -> None:
    module = importlib.import_module(f"lutloom.codegen.kernels.{name}")
    assert module.KERNEL is KERNELS[name]
    assert TEMPLATES.joinpath("process", f"{name}.hpp.j2").is_file(), f"{name}: has no template"
    path = TESTS / "codegen" / "kernels" / f"test_{name}.py"
    assert path.is_file(), f"{name}: {path.relative_to(TESTS.parent)} is missing"


@pytest.mark.parametrize("name", PROCESSES)
def test_the_loop_is_known_to_the_model_of_throughput(name: str) -> None:
    assert name in SCHEDULES
    assert name in PIPELINE_DEPTH


@pytest.mark.parametrize("name", PROCESSES)
def test_the_header_names_its_specification_and_its_cycles(name: str) -> None:
    header = TEMPLATES.joinpath("include", "lutloom", f"{name}.hpp")
    assert header.is_file(), f"{name}: has no header"
    text = header.read_text(encoding="utf-8")
    operator = OPERATORS[name]
    specification = f"{operator.__module__}.{operator.__name__}.reference"
    assert f"// Specification: {specification}\n" in text
    assert "// Cycles a frame: " in text
    assert f" {name}(" in text
