"""A server on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.qat.data.servers import Server, serving


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as running:
        yield running
