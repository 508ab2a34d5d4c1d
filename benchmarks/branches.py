"""Show networks with branches, and ones that give images, through the whole pipeline.

    python benchmarks/branches.py [NETWORK ...] [--images 32] [--exact 4] [--no-csim]

ResNet-8, 18 and 50, MobileNet-v2, ShuffleNet, SqueezeNet, squeeze-and-excite, attention, a U-Net,
a detector, super-resolution in two ways, and an autoencoder. What is done with each, and what is
measured, is said in ``showing.py``; ResNet-18 and ResNet-50 may take so long and so much to
compile, start-up included, and no more.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # the networks are those of the tests

from benchmarks.showing import Limit, Showing, main
from tests.qat.networks import BRANCHED, SMALL_BRANCHED

_IN_CPP = (
    *("resnet8", "autoencoder", "squeeze-excite", "attention", "espcn", "resize-conv", "unet"),
    *("unet-transposed", "detector", "inverted-residual"),
)
_LIMITS = {
    "resnet18": Limit(15, 4096),
    "resnet18-separate": Limit(15, 4096),
    "resnet50-1w2a": Limit(90, 4096),
    "resnet50-2w2a": Limit(90, 4096),
}

if __name__ == "__main__":
    main(__doc__, Showing(BRANCHED, SMALL_BRANCHED, _IN_CPP, _LIMITS))
