"""Memory that is freed in a step of training stays with the process for the next one.

The activations of a step are freed in its backward pass, and glibc gives memory at the end of the
heap back to the system as soon as it is more than a little: the next step gets it again page by
page, zeroed, which took a quarter of the time of a step of CNV. What a process occupies at most
stays the same. The numbers are those of mallopt(3) and of glibc's ``malloc.h``.
"""

from __future__ import annotations

import contextlib
import ctypes
import platform
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_NEVER, _NONE = -1, 0
# glibc's default, and where its own adjustment of the threshold ends
_DEFAULT_MAPPINGS, _ADJUSTED_THRESHOLD = 65_536, 64 * 2**20


@contextlib.contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Keep freed memory for later in this block, and give it back behind it.

    Without glibc nothing is changed.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_MMAP_MAX, _NONE)
    libc.mallopt(_TRIM_THRESHOLD, _NEVER)
    try:
        yield
    finally:
        libc.mallopt(_MMAP_MAX, _DEFAULT_MAPPINGS)
        libc.mallopt(_TRIM_THRESHOLD, _ADJUSTED_THRESHOLD)
        libc.malloc_trim(0)
