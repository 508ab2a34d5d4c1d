"""Show convolutional networks through the whole pipeline: CNV, VGG16, VGG10, DS-CNN, MobileNet-v1.

    python benchmarks/convolutions.py [NETWORK ...] [--images 32] [--exact 4] [--no-csim]

What is done with each, and what is measured, is said in ``showing.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # the networks are those of the tests

from benchmarks.showing import Showing, main
from tests.qat.networks import FULL, SMALL

_IN_CPP = ("cnv-1w1a", "cnv-1w2a", "cnv-2w2a", "vgg10", "kws", "mobilenet-0.25")

if __name__ == "__main__":
    main(__doc__, Showing(FULL, SMALL, _IN_CPP))
