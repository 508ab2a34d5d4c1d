"""A unit's source with its processes as threads: the same calls, each in a thread of its own.

In the body of the top-level function, which is nothing but declarations and calls,

    #pragma HLS STREAM variable=x depth=N    becomes    x.set_depth(N);
    process(a, b);                           becomes    spawn("process, writing b", ...)

and the function holds at its end, so that its streams live as long as the threads.
"""

from __future__ import annotations

import re

from lutloom.sim.toolchain import CSimError

_DEPTH = re.compile(r"^#pragma HLS STREAM variable=(\w+) depth=(\d+)$")
_CALL = re.compile(r"^  (\w+::\w+(?:<[^()]*>)?)\(([\w, ]+)\);$")


def threaded(source: str) -> str:
    """Return the text of a unit's ``.cpp`` with one thread a process and bounded FIFOs.

    Raises ``CSimError`` for a text without a dataflow body.
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
            result.append(f"  {depth[1]}.set_depth({depth[2]});")
        elif call is not None:
            function = call[1].partition("<")[0].rpartition("::")[2]
            label = f"{function}({call[2]})"
            result.append(f'  {scheduler}.spawn("{label}", [&] {{ {line.strip()} }});')
        else:
            result.append(line)
    return "\n".join([*result, f"  {scheduler}.hold();", *lines[end:]])
