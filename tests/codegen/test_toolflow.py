from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lutloom.boards import load_board
from lutloom.codegen.toolflow import AxiStream, ToolflowError, UnitSources, write_toolflow

BOARD = load_board("pynq-z1")
ONE = (UnitSources("digits", ("hls/src/digits.cpp",)),)
TWO = (
    UnitSources("digits_0", ("hls/src/digits_0.cpp",)),
    UnitSources("digits_1", ("hls/src/digits_1.cpp",)),
)
STRICT = Path(__file__).with_name("strict_vitis.tcl")
HOSTILE = [
    "it's",
    'a "quoted" name',
    "two\nlines",
    "$(touch pwned)",
    "`touch pwned`",
    "[exec touch pwned]",
    "${HOME} $HOME $@",
    "-rf",
    "--help",
    "a; touch pwned #",
    "naïve 网络",
    "../../etc/passwd",
    "",
    "{{ 7 * 7 }}",
    "\\",
    "|$(shell touch pwned)|",
]

needs_tclsh = pytest.mark.skipif(shutil.which("tclsh") is None, reason="needs tclsh")
needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


def write(directory: Path, units: tuple[UnitSources, ...] = ONE, *, name: str = "digits") -> Path:
    sources = [path for unit in units for path in unit.sources]
    for path in [*sources, "hls/tb/testbench.cpp", "hls/include/lutloom/lanes.hpp"]:
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text("// nothing\n")
    write_toolflow(directory, name=name, units=units, part=BOARD.part, clock_mhz=100, board=BOARD)
    return directory


def written(directory: Path) -> dict[str, str]:
    return {
        path.relative_to(directory).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def fake_tools(directory: Path, version: str) -> Path:
    """Write the executables of one version of Vitis, each as strict as can be."""
    directory.mkdir()
    legacy = f"""#!/bin/sh
echo "vitis_hls $*" >>"$TOOL_LOG"
[ "$#" = 2 ] && [ "$1" = -f ] || {{ echo "STRICT: vitis_hls $*" >&2; exit 9; }}
exec "{shutil.which("tclsh")}" "{STRICT}" {version} "$2"
"""
    runner = f"""#!/bin/sh
echo "vitis-run $*" >>"$TOOL_LOG"
[ "$1" = --mode ] && [ "$2" = hls ] || {{ echo "STRICT: vitis-run $*" >&2; exit 9; }}
case $3 in
  --tcl)
    [ "$#" = 4 ] || {{ echo "STRICT: a script takes no arguments: $*" >&2; exit 9; }}
    exec "{shutil.which("tclsh")}" "{STRICT}" {version} "$4"
    ;;
  --csim | --cosim | --package | --impl)
    [ "$#" = 7 ] && [ "$4" = --config ] && [ -f "$5" ] && [ "$6" = --work_dir ] ||
      {{ echo "STRICT: vitis-run $*" >&2; exit 9; }}
    mkdir -p "$7/hls/impl/ip"
    [ "$3" != --package ] || echo "of {version}" >"$7/digits.zip"
    ;;
  *) echo "STRICT: vitis-run $*" >&2; exit 9 ;;
esac
"""
    compiler = """#!/bin/sh
echo "v++ $*" >>"$TOOL_LOG"
[ "$#" = 7 ] && [ "$1 $2 $3" = "-c --mode hls" ] && [ "$4" = --config ] && [ -f "$5" ] &&
  [ "$6" = --work_dir ] || { echo "STRICT: v++ $*" >&2; exit 9; }
mkdir -p "$7/hls/syn"
"""
    tools = {
        "v++": compiler.replace(
            "-c --mode hls", "--platform" if version < "2023" else "-c --mode hls"
        )
    }
    if version < "2025":
        tools["vitis_hls"] = legacy
    if version >= "2023.2":
        tools["vitis-run"] = runner
    for name, text in tools.items():
        (directory / name).write_text(text)
        (directory / name).chmod(0o755)
    return directory


def run(
    command: list[str], directory: Path, tools: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([*([str(tools)] if tools else []), "/usr/local/bin", "/usr/bin", "/bin"])
    kept = {"PATH": path, "TOOL_LOG": str(directory / "tools.log"), "LC_ALL": "C"}
    return subprocess.run(
        command,
        cwd=directory,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def calls(directory: Path) -> list[str]:
    return (directory / "tools.log").read_text().splitlines()


def test_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    assert written(write(tmp_path / "a")) == written(write(tmp_path / "b"))


def test_every_file_is_where_it_is_looked_for(tmp_path: Path) -> None:
    files = written(write(tmp_path, TWO))
    assert {"Makefile", "NEXT_STEPS.md", "scripts/hls.sh", "scripts/run_hls.tcl"} <= files.keys()
    assert {"scripts/digits_0.cfg", "scripts/digits_1.tcl"} <= files.keys()
    assert all(
        text.endswith("\n") and "\t" not in text
        for path, text in files.items()
        if path != "Makefile"
    )


def test_page_says_what_was_not_done(tmp_path: Path) -> None:
    page = written(write(tmp_path))["NEXT_STEPS.md"]
    assert "not yet synthesized with Vitis" in page
    assert "block design" in page
    assert "driver" in page
    assert "later version" in page
    assert "| part | xc7z020clg400-1 |" in page
    assert "100 MHz, 10.000 ns" in page


def test_page_of_a_part_alone_names_no_board(tmp_path: Path) -> None:
    between = AxiStream("digits_0.m_axis", "digits_1.s_axis", 8, 3)
    part, clock = "xczu3eg-sbva484-1-e", 299.97
    write_toolflow(
        tmp_path, name="a", units=TWO, part=part, clock_mhz=clock, board=None, streams=(between,)
    )
    page = (tmp_path / "NEXT_STEPS.md").read_text()
    assert "| board | none: a part alone |" in page
    assert "Vivado knows the board" not in page
    assert "| digits_0.m_axis | digits_1.s_axis | 8 | 3 |" in page
    assert "which AXI4-Stream FIFOs join" in page
    assert "set period 2.666\n" in (tmp_path / "scripts" / "digits_0.tcl").read_text()


@pytest.mark.parametrize(
    ("clock_mhz", "target", "period", "uncertainty"),
    [
        (100, "10.000", "8.000", "0.800"),
        (100.0, "10.000", "8.000", "0.800"),
        (150, "6.666", "5.333", "0.534"),
        (187.5, "5.333", "4.266", "0.427"),
        (1, "1000.000", "800.000", "80.000"),
    ],
)
def test_hls_is_asked_for_four_fifths_of_the_period(
    tmp_path: Path, clock_mhz: float, target: str, period: str, uncertainty: str
) -> None:
    write_toolflow(tmp_path, name="a", units=ONE, part=BOARD.part, clock_mhz=clock_mhz, board=BOARD)
    script = (tmp_path / "scripts" / "digits.tcl").read_text()
    assert f"set period {period}\nset uncertainty {uncertainty}\nset target {target}\n" in script
    config = (tmp_path / "scripts" / "digits.cfg").read_text()
    assert f"\nclock={period}ns\nclock_uncertainty={uncertainty}ns\n" in config
    assert f"\nvivado.clock={target}\n" in config


@pytest.mark.parametrize("clock_mhz", [0, -1, 0.5, 1001, float("nan"), float("inf")])
def test_impossible_clock_is_refused(tmp_path: Path, clock_mhz: float) -> None:
    with pytest.raises(
        ToolflowError, match=r"^the clock is .* MHz: give a frequency from 1 to 1000"
    ):
        write_toolflow(tmp_path, name="a", units=ONE, part="x", clock_mhz=clock_mhz, board=None)
    assert written(tmp_path) == {}


@pytest.mark.parametrize("name", [name for name in HOSTILE if name] + ["0start", "a-b", "run_hls"])
def test_name_that_is_no_identifier_is_no_unit(tmp_path: Path, name: str) -> None:
    with pytest.raises(ToolflowError, match="should be an identifier"):
        write_toolflow(
            tmp_path,
            name="a",
            units=(UnitSources(name, ("hls/src/a.cpp",)),),
            part=BOARD.part,
            clock_mhz=100,
            board=None,
        )
    assert written(tmp_path) == {}


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../a.cpp", "a b.cpp", "-a.cpp", "$(x).cpp", "a//b", ""]
)
def test_odd_source_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(ToolflowError, match=r"^the source .* should be a path below the project"):
        write_toolflow(
            tmp_path,
            name="a",
            units=(UnitSources("a", (path,)),),
            part=BOARD.part,
            clock_mhz=100,
            board=None,
        )


@pytest.mark.parametrize("part", ["", "xc7z020 -1", "[exit]", "a\nb", "-x"])
def test_odd_part_is_refused(tmp_path: Path, part: str) -> None:
    with pytest.raises(ToolflowError, match=r"^the part .* should be one such as"):
        write_toolflow(tmp_path, name="a", units=ONE, part=part, clock_mhz=100, board=None)


def test_units_are_told_apart(tmp_path: Path) -> None:
    for units in ((), ONE + ONE):
        with pytest.raises(ToolflowError, match=r"^the units are .* all different$"):
            write_toolflow(tmp_path, name="a", units=units, part="x", clock_mhz=100, board=None)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_name_reaches_no_file(tmp_path: Path, name: str) -> None:
    files = written(write(tmp_path / "hostile", name=name))
    plain = written(write(tmp_path / "plain", name="harmless"))
    assert files.keys() == plain.keys()
    for path, text in files.items():
        # Line by line the same, but for an identifier in the place of another.
        for line, same in zip(text.splitlines(), plain[path].splitlines(), strict=True):
            pattern = re.escape(same).replace("harmless", "[a-z0-9_]+")
            assert re.fullmatch(pattern, line), (path, line)


@needs_make
@needs_tclsh
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_name_runs_nothing(tmp_path: Path, name: str) -> None:
    directory = write(tmp_path / "build", name=name)
    tools = fake_tools(tmp_path / "tools", "2022.2")
    done = run(["make", "package"], directory, tools)
    assert done.returncode == 0, done.stderr
    assert run(["make"], directory).returncode == 0
    assert not list(tmp_path.rglob("pwned"))


@needs_make
@needs_tclsh
@pytest.mark.parametrize(
    ("version", "flow", "expected"),
    [
        ("2022.2", "", "vitis_hls -f ../../scripts/run_hls.tcl"),
        ("2023.1", "", "vitis_hls -f ../../scripts/run_hls.tcl"),
        ("2023.2", "", "vitis_hls -f ../../scripts/run_hls.tcl"),
        ("2024.2", "", "vitis_hls -f ../../scripts/run_hls.tcl"),
        ("2024.2", "vitis-run", "vitis-run --mode hls --tcl ../../scripts/run_hls.tcl"),
        (
            "2024.2",
            "v++",
            "v++ -c --mode hls --config digits.cfg --work_dir ../runs/digits/component",
        ),
        ("2025.1", "", "v++ -c --mode hls --config digits.cfg --work_dir ../runs/digits/component"),
        ("2025.2", "vitis-run", "vitis-run --mode hls --tcl ../../scripts/run_hls.tcl"),
    ],
)
def test_each_version_is_run_as_it_wants(
    tmp_path: Path, version: str, flow: str, expected: str
) -> None:
    directory = write(tmp_path / "a directory with blanks & 'quotes'")
    tools = fake_tools(tmp_path / "tools", version)
    for goal in ("csim", "synth", "cosim", "package", "impl"):
        done = run(["make", goal], directory, tools, FLOW=flow)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "STRICT" not in done.stderr
    assert expected in calls(directory)
    assert len(calls(directory)) == 5
    assert (directory / "ip" / "digits.zip").read_text() == f"of {version}\n"


@needs_make
@needs_tclsh
def test_vitis_run_alone_runs_the_tcl(tmp_path: Path) -> None:
    directory = write(tmp_path / "build", TWO)
    tools = fake_tools(tmp_path / "tools", "2025.1")
    (tools / "v++").unlink()
    done = run(["make", "package"], directory, tools)
    assert done.returncode == 0, done.stderr
    assert set(calls(directory)) == {"vitis-run --mode hls --tcl ../../scripts/run_hls.tcl"}
    assert (directory / "ip" / "digits_1.zip").is_file()


@needs_make
@needs_tclsh
def test_tcl_does_each_step_in_order(tmp_path: Path) -> None:
    directory = write(tmp_path / "build", TWO)
    tools = fake_tools(tmp_path / "tools", "2022.2")
    assert run(["make", "impl"], directory, tools).returncode == 0
    assert (directory / "runs" / "digits_0" / "calls.log").read_text().splitlines() == [
        "open_project -reset hls",
        "set_top digits_0",
        "add_files ../../hls/src/digits_0.cpp -cflags "
        "{-std=c++14 -I../../hls/include -I../../hls/src}",
        "add_files -tb ../../hls/tb/testbench.cpp -cflags "
        "{-std=c++14 -I../../hls/include -I../../hls/src -Wno-unknown-pragmas}",
        "add_files -tb ../../hls/src/digits_1.cpp -cflags "
        "{-std=c++14 -I../../hls/include -I../../hls/src -Wno-unknown-pragmas}",
        "open_solution -reset -flow_target vivado solution",
        "set_part xc7z020clg400-1",
        "create_clock -period 8.000 -name default",
        "set_clock_uncertainty 0.800",
        "config_rtl -module_auto_prefix",
        "csynth_design",
        "open_project hls",
        "open_solution solution",
        "config_export -vivado_clock 10.000",
        "export_design -format ip_catalog -rtl verilog -vendor lutloom -library hls "
        "-ipname digits_0 -version 1.0 -flow impl",
    ]


@needs_make
@needs_tclsh
@pytest.mark.parametrize("command", ["csim_design", "add_files"])
def test_step_that_fails_is_not_taken_for_done(tmp_path: Path, command: str) -> None:
    directory = write(tmp_path / "build")
    tools = fake_tools(tmp_path / "tools", "2022.2")
    done = run(["make", "csim"], directory, tools, STRICT_VITIS_FAILS=command)
    assert done.returncode != 0
    assert "csim of digits failed: the testbench returned 1" in done.stderr
    assert not (directory / "runs" / "digits" / "csim.stamp").exists()


@needs_tclsh
@pytest.mark.parametrize(
    ("line", "broken"),
    [
        ("csynth_design", "csynth_desing"),
        ("-flow_target vivado", "-flow_target vivdao"),
        ("set_top $top", "set_top"),
        ("create_clock -period $period", "create_clock -perod $period"),
        ("set_part $part\n", "\n"),
        ("add_files ../../$file", "add_files ../$file"),
        ("-I../../hls/include", "-I../../hls/inclde"),
    ],
)
def test_stubs_refuse_what_no_tool_knows(tmp_path: Path, line: str, broken: str) -> None:
    directory = write(tmp_path / "build")
    tools = fake_tools(tmp_path / "tools", "2022.2")
    script = directory / "scripts" / "run_hls.tcl"
    text = script.read_text()
    assert line in text
    script.write_text(text.replace(line, broken))
    done = run(["sh", "scripts/hls.sh", "synth", "digits"], directory, tools)
    assert done.returncode != 0
    assert "STRICT" in done.stderr


@needs_make
@pytest.mark.parametrize(
    ("present", "flow", "said"),
    [
        ([], "", "No HLS tool is on PATH: vitis_hls, or vitis-run and v++, are missing"),
        (["v++"], "", "neither vitis-run nor vitis_hls is"),
        (["v++"], "v++", "FLOW=v++ needs vitis-run too"),
        (["vitis-run"], "v++", "FLOW=v++, but v++ is not on PATH"),
        (["v++", "vitis-run"], "vitis_hls", "FLOW=vitis_hls, but vitis_hls is not on PATH"),
        (["v++", "vitis-run"], "vivado_hls", "FLOW=vivado_hls is not known: use vitis_hls"),
    ],
)
def test_missing_tool_is_named(tmp_path: Path, present: list[str], flow: str, said: str) -> None:
    directory = write(tmp_path / "build")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in present:
        (tools / name).write_text("#!/bin/sh\nexit 9\n")
        (tools / name).chmod(0o755)
    done = run(["make", "synth"], directory, tools, FLOW=flow)
    assert done.returncode != 0
    assert said in done.stderr
    assert not (directory / "runs").exists()


def test_odd_step_or_unit_is_refused(tmp_path: Path) -> None:
    directory = write(tmp_path, TWO)
    done = run(["sh", "scripts/hls.sh", "sinth", "digits_0"], directory)
    assert done.returncode == 1
    assert "'sinth' is no step: use csim, synth" in done.stderr
    done = run(["sh", "scripts/hls.sh", "synth", "$(touch pwned)"], directory)
    assert done.returncode == 1
    assert "is no unit of this project: use digits_0, digits_1" in done.stderr
    assert not (directory / "pwned").exists()


@needs_make
@needs_tclsh
@pytest.mark.parametrize("version", ["2022.2", "2025.1"])
def test_cosim_wants_synthesis_first(tmp_path: Path, version: str) -> None:
    directory = write(tmp_path / "build")
    tools = fake_tools(tmp_path / "tools", version)
    done = run(["sh", "scripts/hls.sh", "cosim", "digits"], directory, tools)
    assert done.returncode != 0
    assert "run 'make synth' first" in done.stderr
    # Make knows the order by itself.
    assert run(["make", "cosim"], directory, tools).returncode == 0


@needs_make
@needs_tclsh
def test_unit_is_synthesised_again_when_a_source_changes(tmp_path: Path) -> None:
    directory = write(tmp_path / "build", TWO)
    tools = fake_tools(tmp_path / "tools", "2022.2")
    assert run(["make", "synth"], directory, tools).returncode == 0
    assert run(["make", "synth"], directory, tools).returncode == 0
    assert len(calls(directory)) == 2
    stamp = (directory / "runs" / "digits_0" / "synth.stamp").stat()
    os.utime(directory / "hls" / "src" / "digits_0.cpp", (stamp.st_mtime + 9, stamp.st_mtime + 9))
    assert run(["make", "synth"], directory, tools).returncode == 0
    assert len(calls(directory)) > 2
    assert run(["make", "clean"], directory).returncode == 0
    assert not (directory / "runs").exists()


@pytest.mark.parametrize("script", ["hls.sh", "testbench.sh"])
def test_shell_reads_the_scripts(tmp_path: Path, script: str) -> None:
    directory = write(tmp_path, TWO)
    for shell in ("sh", "bash", "dash"):
        if shutil.which(shell):
            done = run([shell, "-n", f"scripts/{script}"], directory)
            assert (done.returncode, done.stderr) == (0, "")


@needs_make
def test_make_reads_every_target(tmp_path: Path) -> None:
    directory = write(tmp_path, TWO)
    done = run(["make"], directory)
    assert done.returncode == 0
    for goal in ("testbench", "csim", "synth", "cosim", "package", "impl", "clean"):
        assert goal in done.stdout
        dry = run(["make", "-n", goal], directory)
        assert (dry.returncode, dry.stderr) == (0, ""), goal


CONFIG_KEYS = {
    "flow_target": "vivado|vitis",
    "clock": r"[0-9]+\.[0-9]{3}ns",
    "clock_uncertainty": r"[0-9]+\.[0-9]{3}ns",
    "syn.top": "[A-Za-z][A-Za-z0-9_]*",
    "syn.cflags": r"[-A-Za-z0-9+=./_ ]+",
    "syn.file": r"\.\./[A-Za-z0-9_./]+",
    "syn.rtl.module_auto_prefix": "0|1",
    "tb.cflags": r"[-A-Za-z0-9+=./_ ]+",
    "tb.file": r"\.\./[A-Za-z0-9_./]+",
    "package.output.format": "ip_catalog|xo|syn_dcp|sysgen|rtl",
    "package.output.syn": "true|false",
    "package.ip.vendor": "[a-z]+",
    "package.ip.library": "[a-z]+",
    "package.ip.name": "[A-Za-z][A-Za-z0-9_]*",
    "package.ip.version": r"[0-9]+\.[0-9]+",
    "vivado.flow": "syn|impl",
    "vivado.rtl": "verilog|vhdl",
    "vivado.clock": r"[0-9]+\.[0-9]{3}",
}


def test_configuration_keeps_to_its_grammar(tmp_path: Path) -> None:
    directory = write(tmp_path, TWO)
    for unit in TWO:
        text = (directory / "scripts" / f"{unit.top}.cfg").read_text()
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        assert lines[0] == f"part={BOARD.part}", "the part stands above [hls]"
        assert lines[1] == "[hls]"
        seen: dict[str, list[str]] = {}
        for line in lines[2:]:
            key, _, value = line.partition("=")
            assert re.fullmatch(CONFIG_KEYS[key], value), line
            seen.setdefault(key, []).append(value)
        assert seen.keys() == CONFIG_KEYS.keys()
        assert all(len(values) == 1 for key, values in seen.items() if not key.endswith(".file"))
        for path in seen["syn.file"] + seen["tb.file"]:
            assert (directory / "scripts" / path).is_file()
        assert seen["syn.top"] == [unit.top]


@needs_make
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_testbench_is_compiled_and_its_verdict_kept(tmp_path: Path) -> None:
    directory = write(tmp_path / "a directory with blanks", TWO)
    types = tmp_path / "some types"
    types.mkdir()
    (types / "ap_int.h").write_text("template <int N> struct ap_int { int value; };\n")
    for unit in TWO:
        (directory / unit.sources[0]).write_text(f"int {unit.top}() {{ return 0; }}\n")
    testbench = directory / "hls" / "tb" / "testbench.cpp"
    text = "#include <ap_int.h>\nint digits_0(); int digits_1();\n"
    text += "int main() { return digits_0() + digits_1() + VERDICT; }\n"
    testbench.write_text(text.replace("VERDICT", "0"))
    done = run(["make", "testbench", f"AP_TYPES={types}"], directory)
    assert done.returncode == 0, done.stderr
    testbench.write_text(text.replace("VERDICT", "1"))
    assert run(["make", "testbench", f"AP_TYPES={types}"], directory).returncode != 0
    installed = run(["make", "testbench"], directory, XILINX_HLS=str(tmp_path))
    assert installed.returncode != 0
    types.rename(tmp_path / "include")
    testbench.write_text(text.replace("VERDICT", "0"))
    assert run(["make", "testbench"], directory, XILINX_HLS=str(tmp_path)).returncode == 0


def test_missing_headers_are_named(tmp_path: Path) -> None:
    directory = write(tmp_path)
    done = run(["sh", "scripts/testbench.sh"], directory, CXX="true", AP_TYPES="/nowhere")
    assert done.returncode == 1
    assert "AP_TYPES=/nowhere, but there is no ap_int.h in that directory" in done.stderr
