"""The families of the zoo: what is published of each, and what may be changed."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from lutloom.qat.models.attention import AttentionNet
from lutloom.qat.models.autoencoder import Autoencoder
from lutloom.qat.models.cnv import Cnv
from lutloom.qat.models.family import SWITCH, Family, Range, Task
from lutloom.qat.models.fc import FullyConnected
from lutloom.qat.models.keyword_spotting import KeywordSpotting
from lutloom.qat.models.local_binary import LocalBinaryNet
from lutloom.qat.models.mobilenet import MobileNet
from lutloom.qat.models.mobilenet_v2 import MobileNetV2
from lutloom.qat.models.real_residuals import BiRealNet, ReActNet
from lutloom.qat.models.resnet8 import ResNet8
from lutloom.qat.models.resnet18 import ResNet18
from lutloom.qat.models.resnet50 import ResNet50
from lutloom.qat.models.separable_filters import SeparableCnv
from lutloom.qat.models.shapes import Images, Numbers, Signals
from lutloom.qat.models.shufflenet import ShuffleNetV2
from lutloom.qat.models.squeeze_excite import SqueezeExciteNet
from lutloom.qat.models.squeezenet import SqueezeNet
from lutloom.qat.models.vgg import Vgg16
from lutloom.qat.models.vgg10 import CONVOLUTIONS, Vgg10
from lutloom.qat.quantization import ActivationKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from lutloom.qat.quantization import Quantization

_BNN_PYNQ = ((1, 1), (1, 2), (2, 2))
_FOUR = ((4, 4),)
_CIFAR, _IMAGENET, _DIGITS = (3, 32, 32), (3, 224, 224), (1, 28, 28)
_SMALL_IMAGES = Images(least=8)
_WIDTH = Range(1, 4096)
_PERCEPTRON = {
    "hidden": Range(1, 65536),
    "dropout": Range(0, 1, is_open=True),
    "input_dropout": Range(0, 1, is_open=True),
    "input_bits": Range(0, 8),
    "signed_input": SWITCH,
}
_UMUROGLU = "Umuroglu et al., FINN, FPGA 2017"
_HE = "He et al., Deep Residual Learning, CVPR 2016"


def _reconstruction(
    quantization: Quantization,
    input_shape: tuple[int, ...],
    _classes: int,
    *,
    width: int = 128,
    code: int = 8,
    signed_input: bool = False,
) -> nn.Module:
    """Return the autoencoder, which knows no classes."""
    return Autoencoder(quantization, input_shape, width=width, code=code, signed_input=signed_input)


def _of_bnn_pynq(name: str, neurons: int, dropout: float, published: str) -> Family:
    return Family(
        name,
        # wide nets have capacity to spare, the tiny one has not
        partial(FullyConnected, hidden=(neurons,) * 3, dropout=dropout),
        f"fully connected, three hidden layers of {neurons}",
        _UMUROGLU,
        Numbers(),
        _DIGITS,
        10,
        _BNN_PYNQ,
        _PERCEPTRON,
        ActivationKind.SIGNED,
        published,
    )


_FULLY_CONNECTED = (
    _of_bnn_pynq("TFC", 64, 0.0, "MNIST 93.17 / 94.79 / 96.60 % (Brevitas)"),
    _of_bnn_pynq("SFC", 256, 0.1, "MNIST 97.81 / 98.31 / 98.66 % (Brevitas)"),
    _of_bnn_pynq("LFC", 1024, 0.2, "MNIST 98.88 / 98.99 % in 1W1A / 1W2A (Brevitas)"),
    Family(
        "KWS_MLP",
        partial(FullyConnected, hidden=(256,) * 3, input_bits=8),
        "keywords in sound: fully connected, three hidden layers of 256",
        "FINN's example for keyword spotting (finn-examples)",
        Numbers(),
        (1, 49, 10),
        12,
        ((3, 3),),
        _PERCEPTRON,
    ),
    Family(
        "UNSW_NB15",
        partial(FullyConnected, hidden=(64,) * 3, input_bits=1),
        "attacks on networks: fully connected, three hidden layers of 64, on bits",
        "FINN's cybersecurity example; data of Moustafa and Slay, UNSW-NB15, MilCIS 2015",
        Numbers(),
        (1, 1, 593),
        2,
        ((2, 2),),
        _PERCEPTRON,
    ),
    Family(
        "JET_MLP",
        partial(FullyConnected, hidden=(64, 32, 32), input_bits=8),
        "jets of particles: fully connected, hidden layers of 64, 32 and 32",
        "Duarte et al., Fast inference of deep neural networks in FPGAs for particle physics, "
        "JINST 2018; in 6 bits, Coelho et al., Nature Machine Intelligence 2021",
        Numbers(),
        (1, 1, 16),
        5,
        ((6, 6),),
        _PERCEPTRON,
    ),
    Family(
        "AUTOENCODER",
        _reconstruction,
        "strange sounds of machines: fully connected, 640-128x4-8-128x4-640",
        "Banbury et al., MLPerf Tiny Benchmark, NeurIPS 2021",
        Numbers(),
        (640,),
        1,
        _FOUR,
        {"width": _WIDTH, "code": _WIDTH, "signed_input": SWITCH},
        published="ToyADMOS, area under the curve 0.85 to be reached (MLPerf Tiny)",
        task=Task.RECONSTRUCTION,
    ),
)

_CONVOLUTIONAL = (
    Family(
        "CNV",
        Cnv,
        "six 3x3 convolutions, two poolings, three linear layers",
        _UMUROGLU,
        Images(side=32),
        _CIFAR,
        10,
        _BNN_PYNQ,
        {"width": _WIDTH},
        ActivationKind.SIGNED,
        "CIFAR-10 84.22 / 87.80 / 89.03 % (Brevitas)",
    ),
    Family(
        "CNV_SF",
        SeparableCnv,
        "CNV of separable filters: columns of 3x1 and rows of 1x3",
        "Lin et al., Binarized CNNs with Separable Filters, CVPRW 2017",
        Images(side=32),
        _CIFAR,
        10,
        _BNN_PYNQ,
        {"width": _WIDTH, "rank": Range(1, 4)},
        ActivationKind.SIGNED,
    ),
    Family(
        "VGG16",
        Vgg16,
        "thirteen 3x3 convolutions, five poolings, three linear layers",
        "Simonyan and Zisserman, VGG, ICLR 2015; for small images, Liu and Deng, ACPR 2015",
        Images(least=32),
        _CIFAR,
        10,
        ((2, 2), (1, 1), (4, 4)),
        {"width": _WIDTH},
    ),
    Family(
        "VGG16_DS",
        partial(Vgg16, separable=True),
        "VGG16 of depthwise-separable convolutions",
        "the same; Howard et al., MobileNets, 2017",
        Images(least=32),
        _CIFAR,
        10,
        _FOUR,
        {"width": _WIDTH},
    ),
    Family(
        "VGG10",
        Vgg10,
        "modulations of radio signals: seven 1-D convolutions with poolings, three linear layers",
        "O'Shea, Roy and Clancy, Over-the-Air Deep Learning, IEEE JSTSP 2018",
        Signals(2**CONVOLUTIONS),
        (2, 1024),
        24,
        _FOUR,
        {"width": _WIDTH, "signed_input": SWITCH},
    ),
    Family(
        "DS_CNN",
        KeywordSpotting,
        "keywords in sound: a convolution, four depthwise-separable ones",
        "Zhang et al., Hello Edge, 2017; sizes of Banbury et al., MLPerf Tiny, NeurIPS 2021",
        Images(least=2),
        (1, 49, 10),
        12,
        _FOUR,
        {"width": _WIDTH, "blocks": Range(1, 32), "signed_input": SWITCH},
        published="Speech Commands 90 % to be reached (MLPerf Tiny)",
    ),
    Family(
        "MOBILENET_V1",
        MobileNet,
        "a convolution, thirteen depthwise-separable ones",
        "Howard et al., MobileNets, 2017",
        Images(multiple=32, is_square=True, channels=3),
        _IMAGENET,
        1000,
        _FOUR,
        {"alpha": Range(1 / 32, 4)},
        published="ImageNet 70.6 % in float32",
    ),
)

_BRANCHED = (
    Family(
        "RESNET8",
        ResNet8,
        "three residual blocks",
        "Banbury et al., MLPerf Tiny, NeurIPS 2021; He et al., ResNet, CVPR 2016",
        _SMALL_IMAGES,
        _CIFAR,
        10,
        _FOUR,
        {"width": _WIDTH, "blocks": Range(1, 32)},
        published="CIFAR-10 85 % to be reached (MLPerf Tiny)",
    ),
    Family(
        "RESNET20",
        partial(ResNet8, blocks=3),
        "nine residual blocks",
        _HE,
        _SMALL_IMAGES,
        _CIFAR,
        10,
        _FOUR,
        {"width": _WIDTH, "blocks": Range(1, 32)},
        published="CIFAR-10 91.25 % in float32",
    ),
    Family(
        "RESNET18",
        ResNet18,
        "eight residual blocks",
        f"{_HE}; for small images in 4 bits, Brevitas' example",
        _SMALL_IMAGES,
        _CIFAR,
        10,
        _FOUR,
        {"width": _WIDTH, "shared": SWITCH},
        published="CIFAR-10 92.61 % in 4W4A (Brevitas)",
    ),
    Family(
        "RESNET50",
        ResNet50,
        "sixteen bottlenecks around residuals of 4 bits",
        f"{_HE}; quantized as in finn-examples",
        Images(multiple=32, is_square=True),
        _IMAGENET,
        1000,
        ((1, 2), (2, 2)),
        {"width": _WIDTH, "shared": SWITCH},
    ),
    Family(
        "MOBILENET_V2",
        MobileNetV2,
        "a convolution, seventeen inverted residuals",
        "Sandler et al., MobileNetV2, CVPR 2018",
        Images(multiple=32, is_square=True),
        _IMAGENET,
        1000,
        _FOUR,
        {"alpha": Range(1 / 16, 4), "last_width": _WIDTH, "shared": SWITCH},
        published="ImageNet 72.0 % in float32",
    ),
    Family(
        "SHUFFLENET_V2",
        ShuffleNetV2,
        "sixteen units that shuffle halves of their channels",
        "Ma et al., ShuffleNet V2, ECCV 2018",
        Images(multiple=32, is_square=True),
        _IMAGENET,
        1000,
        _FOUR,
        {"width": Range(2, 4096, multiple=2), "last_width": _WIDTH, "shared": SWITCH},
    ),
    Family(
        "SQUEEZENET",
        SqueezeNet,
        "eight fire units",
        "Iandola et al., SqueezeNet, 2016 (version 1.1)",
        Images(least=29),
        _IMAGENET,
        1000,
        _FOUR,
        {"width": Range(4, 4096), "shared": SWITCH},
    ),
    Family(
        "BIREAL18",
        BiRealNet,
        "ResNet-18 of binary convolutions, each with a shortcut of 8 bits",
        "Liu et al., Bi-Real Net, ECCV 2018",
        Images(least=8, multiple=8),
        _CIFAR,
        10,
        ((1, 1),),
        {"width": _WIDTH},
        ActivationKind.SIGNED,
        "ImageNet 56.4 %, its first layers for larger images, real shortcuts",
    ),
    Family(
        "REACTNET",
        ReActNet,
        "MobileNet-v1 of binary convolutions, RSign, RPReLU, and shortcuts of 8 bits",
        "Liu et al., ReActNet, ECCV 2020 (ReActNet-A)",
        Images(least=32, multiple=32),
        _IMAGENET,
        1000,
        ((1, 1),),
        {"width": _WIDTH},
        ActivationKind.RSIGN,
        "ImageNet 69.4 %, real shortcuts, taught by a larger net",
    ),
    Family(
        "LBCNN",
        LocalBinaryNet,
        "fixed sparse ternary filters and learned 1x1 convolutions",
        "Juefei-Xu et al., Local Binary Convolutional Neural Networks, CVPR 2017",
        _SMALL_IMAGES,
        _CIFAR,
        10,
        _FOUR,
        {
            "depth": Range(1, 128),
            "width": _WIDTH,
            "patterns": _WIDTH,
            "density": Range(0.01, 1),
        },
    ),
    Family(
        "SQUEEZE_EXCITE",
        SqueezeExciteNet,
        "residual blocks whose channels are weighted by what the image shows",
        "Hu et al., Squeeze-and-Excitation Networks, CVPR 2018",
        _SMALL_IMAGES,
        _CIFAR,
        10,
        _FOUR,
        {"width": _WIDTH, "blocks": Range(1, 8)},
    ),
    Family(
        "ATTENTION",
        AttentionNet,
        "a vision transformer of integers",
        "Dosovitskiy et al., An Image is Worth 16x16 Words, ICLR 2021; with ReLUs, Wortsman et "
        "al., 2023",
        _SMALL_IMAGES,
        _CIFAR,
        10,
        _FOUR,
        {"width": _WIDTH, "heads": Range(1, 64), "blocks": Range(1, 32), "patch": Range(1, 64)},
    ),
)

FAMILIES: Mapping[str, Family] = MappingProxyType(
    {family.name: family for family in (*_FULLY_CONNECTED, *_CONVOLUTIONAL, *_BRANCHED)}
)
"""By name."""
