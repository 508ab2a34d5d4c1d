"""A run that is interrupted when it has written so many checkpoints."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from lutloom.core.files import write_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def interrupted_after(writes: int) -> Iterator[None]:
    """Interrupt what runs within at its checkpoint file of that number; fail if it ends before."""
    left = writes

    def write_and_stop(path: Path, content: bytes, *, sync: bool) -> None:
        nonlocal left
        write_file(path, content, sync=sync)
        left -= 1
        if left == 0:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lutloom.qat.checkpoint.write_file", write_and_stop)
        with pytest.raises(KeyboardInterrupt):
            yield
