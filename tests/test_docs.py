"""What the documents say holds of the code as it is."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import inspect
import io
import re
import shlex
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import typer.main

import lutloom
from lutloom.cli import app
from lutloom.codegen.kernels.kernel import Kernel, Site
from lutloom.core.ops import OPERATORS
from lutloom.core.plan import Folding
from lutloom.core.types import IntType, TensorType
from lutloom.streamline.rule_table import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    path.relative_to(ROOT)
    for pattern in ("*.md", "docs/*.md", "examples/*.md")
    for path in ROOT.glob(pattern)
)
COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
LINK = re.compile(r"\[[^]]*\]\(([^)\s]+)\)")
INLINE = re.compile(r"`([^`\n]+)`")
PRINTED = re.compile(r"```python\n([^`]*)```\n\nprints\n\n```text\n([^`]*)```")


@dataclass(frozen=True)
class Block:
    """A fenced block of a document."""

    document: Path
    number: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.document}:{self.number}"


def read(document: Path) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def blocks(language: str) -> list[Block]:
    return [
        Block(document, text.count("\n", 0, match.start()) + 1, match[1], match[2])
        for document in DOCUMENTS
        for text in [read(document)]
        for match in FENCE.finditer(text)
        if match[1] == language
    ]


def prose(document: Path) -> str:
    """Return a document without its fenced blocks."""
    return FENCE.sub("", read(document))


def shown_commands() -> Iterator[tuple[Block, list[str]]]:
    """Yield the words of every command line in the blocks of shell."""
    for block in blocks("sh"):
        for line in block.text.replace("\\\n", " ").splitlines():
            if words := shlex.split(line, comments=True):
                yield block, words


def anchor(heading: str) -> str:
    """Return the anchor that a heading gets on GitHub."""
    kept = re.sub(r"[^\w\- ]", "", heading.lower())
    return kept.replace(" ", "-")


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"documented_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_the_documents_are_found() -> None:
    names = {str(document) for document in DOCUMENTS}
    assert {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/exactness.md"} <= names


def test_every_command_line_is_one_that_the_program_takes() -> None:
    seen = set()
    for block, (program, *arguments) in shown_commands():
        if program != "lutloom":
            continue
        name, *rest = arguments
        assert name in COMMANDS, f"{block}: there is no command {name}"
        # Parsed, not run: unknown options, missing arguments and wrong kinds of values are errors.
        COMMANDS[name].make_context(name, rest)
        seen.add(name)
    assert {"train", "inspect", "compile", "simulate", "verify"} <= seen


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_command_and_option_in_the_text_exists(document: Path) -> None:
    parameters = [parameter for command in COMMANDS.values() for parameter in command.params]
    known = {option for p in parameters for option in (*p.opts, *p.secondary_opts)}
    known |= {"--help", "--version"}
    for quoted in INLINE.findall(prose(document)):
        words = quoted.split()
        if words[0] == "lutloom" and len(words) > 1 and words[1].islower():
            assert words[1] in COMMANDS, f"there is no command {quoted}"
            options = {o for p in COMMANDS[words[1]].params for o in (*p.opts, *p.secondary_opts)}
            given = {word for word in words[2:] if word.startswith("--")}
            assert given <= options | {"--help"}, quoted
        elif words[0].startswith("--"):
            assert words[0] in known, f"there is no option {words[0]}"


def test_the_readme_lists_every_command() -> None:
    rows = re.findall(r"^\| `lutloom (\w+)` \|", read(Path("README.md")), re.MULTILINE)
    assert sorted(rows) == sorted(COMMANDS)


def test_every_target_of_make_in_the_documents_exists() -> None:
    makefile = read(Path("Makefile")) + read(Path("hls_templates/flow/Makefile.j2"))
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = {words[1] for _, words in shown_commands() if words[0] == "make"}
    for document in DOCUMENTS:
        named |= set(re.findall(r"`make ([a-z]+)", prose(document)))
    assert {"demo", "test"} <= named <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_relative_links_lead_somewhere(document: Path) -> None:
    for link in LINK.findall(prose(document)):
        if link.startswith(("http://", "https://")):
            continue
        path, _, fragment = link.partition("#")
        target = (ROOT / document).parent / path if path else ROOT / document
        assert target.exists(), f"{document} links to {link}, which does not exist"
        if fragment:
            headings = HEADING.findall(FENCE.sub("", target.read_text(encoding="utf-8")))
            assert fragment in {anchor(heading) for heading in headings}, f"{link}: no such heading"


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_files_of_the_repository_that_are_named_exist(document: Path) -> None:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()}
    for quoted in INLINE.findall(prose(document)):
        top, slash, _ = quoted.partition("/")
        is_path = slash and top in folders - {"build"} and re.fullmatch(r"[\w./-]+", quoted)
        if not is_path or "negate" in quoted:
            continue
        assert (ROOT / quoted).exists(), f"{document} names {quoted}, which does not exist"


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_blocks_compile_and_call_what_exists(block: Block) -> None:
    tree = ast.parse(block.text)
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module), names=names) if module.startswith("lutloom"):
                if "negate" in module:
                    continue
                for alias in names:
                    exists = hasattr(import_module(module), alias.name)
                    assert exists or alias.name in {"IntArray", "Negate"}, alias.name
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="lutloom"), attr=name), keywords=keywords
            ):
                taken = inspect.signature(getattr(lutloom, name)).parameters
                assert {keyword.arg for keyword in keywords} <= set(taken)


def outputs() -> list[tuple[str, str]]:
    return [
        (code, text) for document in DOCUMENTS for code, text in PRINTED.findall(read(document))
    ]


@pytest.mark.parametrize(("code", "text"), outputs())
def test_a_block_prints_what_the_document_says(code: str, text: str) -> None:
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        exec(code, {"__name__": "document"})
    assert stream.getvalue() == text


def test_there_are_blocks_that_print() -> None:
    assert len(outputs()) >= 2


def worked_example() -> dict[str, str]:
    """Return the blocks of the contributor's guide by the file that their heading names."""
    sections = re.split(r"^### ", read(Path("CONTRIBUTING.md")), flags=re.MULTILINE)[1:]
    found = {}
    for section in sections:
        named = INLINE.search(section.splitlines()[0])
        code = FENCE.search(section)
        if named is not None and code is not None:
            found[named[1]] = code[2]
    return found


def test_the_worked_operator_has_every_piece_that_operators_have() -> None:
    files = worked_example()
    wanted = {
        "core/ops/negate.py",
        "codegen/kernels/negate.py",
        "hls_templates/include/lutloom/negate.hpp",
        "hls_templates/process/negate.hpp.j2",
        "tests/codegen/kernels/test_negate.py",
    }
    assert set(files) == wanted
    for path in wanted:
        # The same places hold an operator that is there.
        assert (ROOT / path.replace("negate", "threshold")).exists(), path
    assert "negate" not in OPERATORS


def test_the_worked_operator_is_one(tmp_path: Path) -> None:
    path = tmp_path / "negate.py"
    path.write_text(worked_example()["core/ops/negate.py"])
    op = load(path).Negate()
    for element in (IntType(-8, 7), IntType(-1, 1, 2), IntType(5, 5), IntType(-7, -1, 3)):
        values = np.arange(element.lo, element.hi + 1, element.step)[:, np.newaxis]
        (result,) = op.reference(values)
        (type_,) = op.infer(TensorType(element, (1,)))
        assert result.ravel().tolist() == [-value for value in values.ravel().tolist()]
        assert type_.element == IntType.spanning(result.ravel().tolist())


def test_the_worked_kernel_is_one(tmp_path: Path) -> None:
    path = tmp_path / "negate.py"
    path.write_text(worked_example()["codegen/kernels/negate.py"])
    kernel: Kernel = load(path).KERNEL
    tensor = TensorType(IntType(-8, 7), (2, 6))
    site = Site(None, (tensor,), (tensor,))
    assert kernel.legal(site, Folding()).pe == (1, 2, 3, 6)
    folding = kernel.settled(site, Folding(pe=3))
    assert kernel.lanes(site, folding) == ((3,), (3,))
    assert (kernel.cycles(site, folding), kernel.operators(site, folding)) == (4, 3)
    assert kernel.weight_bits(site, folding) == 0
    assert kernel.code(site, folding).facts == {"beats": 4, "start": 0}


def test_the_readme_names_every_operator_that_has_a_rule() -> None:
    section = read(Path("README.md")).split("## What is supported, and what is refused")[1]
    assert {name for _, name in RULES} <= set(INLINE.findall(section.split("\n## ")[0]))


def test_the_examples_do_what_they_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny = load(ROOT / "examples" / "tiny_network.py")
    assert tiny.main(tmp_path / "tiny") == 0
    assert "0 of 512 inputs differ" in capsys.readouterr().out


def test_three_foldings_of_an_example_agree(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = load(ROOT / "examples" / "compile_and_verify.py")
    model, images = tmp_path / "tiny.onnx", tmp_path / "images.npy"
    load(ROOT / "examples" / "tiny_network.py").write_model(model)
    np.save(images, np.random.default_rng(0).integers(8, size=(60, 3)))
    assert script.main(
        model, images, tmp_path / "foldings", input_type="uint3", input_scale="1/4", csim=False
    )
    assert capsys.readouterr().out.count("all stages agree") == 3


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("torch", "brevitas")),
    reason="needs lutloom[qat]",
)
def test_the_convolutional_example_agrees_in_every_stage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = load(ROOT / "examples" / "convolutional_network.py")
    assert script.main(tmp_path / "cnv", width=4, csim=False)
    shown = re.match(
        r"(\d+) of 10 classes among 32 images\nall stages agree\n", capsys.readouterr().out
    )
    assert shown is not None
    assert int(shown[1]) > 3


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("torch", "brevitas")),
    reason="needs lutloom[qat]",
)
def test_the_residual_example_agrees_in_every_stage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = load(ROOT / "examples" / "residual_network.py")
    assert script.main(tmp_path / "resnet8", width=4, csim=False)
    shown = capsys.readouterr().out.splitlines()
    sums = [line for line in shown if re.fullmatch(r"[\w./]+: branches times \[\d+, \d+\]", line)]
    assert len(sums) == 3
    assert shown[3].startswith("the deepest FIFO holds ")
    assert shown[4:] == ["all stages agree"]


def test_every_example_is_described() -> None:
    scripts = {path.name for path in (ROOT / "examples").glob("*.py")}
    assert scripts == set(re.findall(r"\]\((\w+\.py)\)", read(Path("examples/README.md"))))


def test_the_ci_runs_the_command_of_the_readme() -> None:
    named = [words for block, words in shown_commands() if str(block.document) == "README.md"]
    assert ["make", "test"] in named
    assert read(Path(".ci/run")).splitlines()[-1] == "exec make test"
