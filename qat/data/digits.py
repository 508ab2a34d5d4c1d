"""scikit-learn's handwritten digits, which need no download."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from lutloom.qat.data.dataset import Dataset, frozen

DIGITS = "digits"
# one in five of each class is a test image
_TEST_PERIOD = 5


def load_digits() -> Dataset:
    """Return the 1,797 digits of 8 x 8 pixels in 0 to 16 that scikit-learn ships.

    Of each class, every fifth image in scikit-learn's order is a test image: no random number
    generator decides, so the split is the same everywhere and for ever.
    """
    from sklearn import datasets

    bunch = datasets.load_digits()
    images = np.asarray(bunch.images).astype(np.uint8)[:, None]
    labels = np.asarray(bunch.target).astype(np.uint8)
    is_test = np.zeros(len(labels), dtype=np.bool_)
    for digit in range(10):
        is_test[np.flatnonzero(labels == digit)[::_TEST_PERIOD]] = True
    return Dataset(
        name=DIGITS,
        train_x=frozen(images[~is_test]),
        train_y=frozen(labels[~is_test]),
        test_x=frozen(images[is_test]),
        test_y=frozen(labels[is_test]),
        classes=10,
        input_scale=Fraction(1, 16),
    )
