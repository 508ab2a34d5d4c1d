"""The engines that are measured: one a module, each with a function that loads a case."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.peers.case import Bind, Case


@dataclass(frozen=True)
class Peer:
    """An engine: the function that loads it, and what the tables say of it.

    ``is_integer`` says that it computes the integer graph: then its logits are equal or wrong.
    """

    module: str
    function: str
    about: str
    is_integer: bool = False

    def load(self, case: Case, threads: int) -> Bind:
        """Return the engine for ``case``; raises ``NotForThis`` where it does not run that."""
        module = import_module(f"benchmarks.peers.{self.module}")
        function: Callable[[Case, int], Bind] = getattr(module, self.function)
        return function(case, threads)


_OURS = "the public function, from bytes to logits, with"
PEERS = {
    "lutloom": Peer("ours", "load", f"{_OURS} the machine's widest instructions", is_integer=True),
    "lutloom popcount": Peer(
        "ours", "load_popcount", f"{_OURS} AVX-512, VPOPCNTDQ, VNNI", is_integer=True
    ),
    "lutloom vnni": Peer("ours", "load_vnni", f"{_OURS} AVX-512 and VNNI", is_integer=True),
    "lutloom avx512": Peer("ours", "load_avx512", f"{_OURS} AVX-512", is_integer=True),
    "lutloom avx2": Peer("ours", "load_avx2", f"{_OURS} AVX2", is_integer=True),
    "lutloom portable": Peer(
        "ours", "load_portable", f"{_OURS} no vector instructions", is_integer=True
    ),
    "reference": Peer("ours", "load_reference", "Lutloom's interpreter in NumPy", is_integer=True),
    "onnxruntime": Peer(
        "onnx_runtime",
        "load",
        "float32, exact quantizers as standard operators, all optimizations",
    ),
    "onnxruntime qcdq": Peer(
        "onnx_runtime", "load_qcdq", "int8, Brevitas' QCDQ export, all optimizations"
    ),
    "torch": Peer(
        "torch_float32",
        "load",
        "float32, the integer graph in eager mode, channels last",
        is_integer=True,
    ),
    "onednn": Peer(
        "onednn",
        "load",
        "int8 through torch in eager mode, thresholds fused, channels last",
        is_integer=True,
    ),
    "brevitas": Peer("brevitas_eval", "load", "float32, the model itself in eval mode"),
    "qonnx": Peer("qonnx_executor", "load", "float32, node by node through ONNX Runtime"),
}
"""By their names in the tables."""
RIVAL = "onnxruntime"
"""What the others are compared with."""
