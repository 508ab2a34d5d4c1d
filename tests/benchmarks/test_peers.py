"""Every peer runs small networks, and gives what it should."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("brevitas", reason="needs brevitas")

from benchmarks.peers import PEERS, case
from benchmarks.peers.case import Case, Model, NotForThis, make_case, tiled
from benchmarks.peers.expected import expect
from tests.qat.networks import SMALL, SMALL_BRANCHED

if TYPE_CHECKING:
    from pathlib import Path

NETWORKS = {
    "cnv-1w1a": SMALL["cnv-1w1a"],
    "cnv-2w2a": SMALL["cnv-2w2a"],
    "mobilenet": SMALL["mobilenet"],
    "resnet18": SMALL_BRANCHED["resnet18"],
}
IMAGES = 7


@pytest.fixture(
    scope="module",
    params=["cnv-1w1a", "resnet18"]
    + [pytest.param(name, marks=pytest.mark.thorough) for name in ("cnv-2w2a", "mobilenet")],
)
def network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    name: str = request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(case, "MODELS", {name: Model(lambda: NETWORKS[name], IMAGES, (4,))})
        return make_case(name, tmp_path_factory.mktemp("case"))


@pytest.fixture
def known(network: Case, monkeypatch: pytest.MonkeyPatch) -> Case:
    model = Model(lambda: NETWORKS[network.name], IMAGES, (4,))
    monkeypatch.setattr(case, "MODELS", {network.name: model})
    return network


@pytest.mark.parametrize("peer", [name for name in PEERS if not name.startswith("lutloom ")])
def test_a_peer_gives_the_logits(peer: str, known: Case) -> None:
    if (peer, known.name) == ("onnxruntime qcdq", "cnv-1w1a"):
        with pytest.raises(NotForThis, match="Brevitas exports no QCDQ: Binary quant"):
            PEERS[peer].load(known, 1)
        return
    call = PEERS[peer].load(known, 1)(tiled(known.pixels(), IMAGES + 2))
    for logits in (call(), call()):
        verdict = expect(known).compare(logits, is_integer=PEERS[peer].is_integer)
        assert (verdict.images, verdict.differing) == (IMAGES + 2, verdict.excused)


def test_images_come_over_and_over_again() -> None:
    assert np.array_equal(tiled(np.arange(3), 7), [0, 1, 2, 0, 1, 2, 0])


def test_what_is_complete_is_not_made_again(network: Case, tmp_path: Path) -> None:
    assert case.is_made(network.folder)
    assert not case.is_made(tmp_path)
