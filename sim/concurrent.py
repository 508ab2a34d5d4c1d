"""A unit's source with its processes beside each other: the same calls, each on a stack of its own.

In the body of the top-level function, which is nothing but declarations and calls,

    #pragma HLS STREAM variable=x depth=N    becomes    x.set_depth(N);
    process(a, b);                           becomes    spawn("process", stages, {&a, &b}, ...)

and the function holds at its end, so that its streams live as long as the processes. In kernels,

    #pragma HLS PIPELINE ...                 becomes    lutloom_csim::tick();

which says that an iteration begins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from lutloom.codegen.timing import PIPELINE_DEPTH
from lutloom.sim.toolchain import CSimError

_DEPTH = re.compile(r"^#pragma HLS STREAM variable=(\w+) depth=(\d+)$")
_CALL = re.compile(r"^  (\w+)::(\w+)(?:<[^()]*>)?\(([\w, ]+)\);$")
_PIPELINE = re.compile(r"^ *#pragma HLS PIPELINE.*$", re.MULTILINE)


def concurrent(source: str, kernels: Mapping[str, str], numbers: Mapping[str, int]) -> str:
    """Return the text of a unit's ``.cpp`` with its processes as such and bounded FIFOs.

    ``kernels`` has the kernel of each process by its function's name, ``numbers`` the numbers of
    FIFOs whose depths the plan gives. Raises ``CSimError`` for a text without a dataflow body.
    """
    lines = source.split("\n")
    starts = [i for i, line in enumerate(lines) if line.startswith("#pragma HLS DATAFLOW")]
    if len(starts) != 1:
        raise CSimError(f"a unit should have one dataflow region, not {len(starts)}")
    body = starts[0] + 1
    end = next(i for i in range(body, len(lines)) if lines[i] == "}")
    scheduler = "lutloom_csim::Scheduler::get()"
    result = lines[:body]
    for line in lines[body:end]:
        depth, call = _DEPTH.match(line), _CALL.match(line)
        if depth is not None:
            number = numbers.get(depth[1], -1)
            result.append(f"  {depth[1]}.set_depth({depth[2]}, {number});")
        elif call is not None:
            namespace, function, arguments = call.groups()
            stages = PIPELINE_DEPTH[function if namespace == "lutloom" else kernels[function]]
            label = f"{function}({arguments})" if namespace == "lutloom" else function
            channels = ", ".join(f"&{name}" for name in arguments.split(", "))
            result.append(
                f'  {scheduler}.spawn("{label}", {stages}, {{{channels}}},'
                f" [&] {{ {line.strip()} }});"
            )
        else:
            result.append(line)
    return "\n".join([*result, f"  {scheduler}.hold();", *lines[end:]])


def ticking(kernel: str) -> str:
    """Return the text of a kernel's header that says when an iteration begins."""
    return _PIPELINE.sub("lutloom_csim::tick();", kernel)
