"""Data sets in memory: the ones that everybody compares with, and those of users.

* :func:`~lutloom.qat.data.loading.load_dataset`: by name, or from a folder or a file
* :mod:`lutloom.qat.data.published`: what is downloaded, from where, and its checksums
* :mod:`lutloom.qat.data.idx`, :mod:`~lutloom.qat.data.cifar`, :mod:`~lutloom.qat.data.npz`,
  :mod:`~lutloom.qat.data.pictures`: the formats
"""

from __future__ import annotations

from lutloom.qat.data.dataset import Dataset
from lutloom.qat.data.digits import load_digits
from lutloom.qat.data.idx import load_idx_folder
from lutloom.qat.data.loading import load_dataset

__all__ = ["Dataset", "load_dataset", "load_digits", "load_idx_folder"]
