"""Sites, which facts of processes are cached by."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys

from lutloom.codegen.kernels import Site
from lutloom.core.ops import TopK
from lutloom.core.types import IntType, TensorType

X, Y = TensorType(IntType(0, 3), (5,)), TensorType(IntType(0, 4), (2,))


def test_a_site_has_the_hash_of_an_equal_one_also_in_another_interpreter() -> None:
    site = Site(TopK(2), (X,), (Y,))
    assert hash(site) == hash(Site(TopK(2), (X,), (Y,)))
    # Hashes of texts differ by interpreter, and a hash that came along would be another one's.
    code = (
        "import pickle, sys; from lutloom.codegen.kernels import Site;"
        "site = pickle.loads(sys.stdin.buffer.read());"
        "sys.exit(hash(site) != hash(Site(site.op, site.inputs, site.outputs)))"
    )
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", code],
            input=pickle.dumps(site),
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
        )
