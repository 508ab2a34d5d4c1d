"""The models: TFC, SFC and LFC by name, each in 1W1A, 1W2A and 2W2A; others by their class.

* :class:`lutloom.qat.models.cnv.Cnv`
* :class:`lutloom.qat.models.vgg.Vgg16`, whole or depthwise-separable
* :class:`lutloom.qat.models.vgg10.Vgg10`, for radio signals
* :class:`lutloom.qat.models.keyword_spotting.KeywordSpotting`
* :class:`lutloom.qat.models.mobilenet.MobileNet`

and with branches, or giving images:

* :class:`lutloom.qat.models.resnet8.ResNet8`, :class:`~lutloom.qat.models.resnet18.ResNet18`,
  :class:`~lutloom.qat.models.resnet50.ResNet50`
* :class:`lutloom.qat.models.mobilenet_v2.MobileNetV2`
* :class:`lutloom.qat.models.shufflenet.ShuffleNetV2`
* :class:`lutloom.qat.models.squeezenet.SqueezeNet`
* :class:`lutloom.qat.models.squeeze_excite.SqueezeExciteNet`
* :class:`lutloom.qat.models.attention.AttentionNet`
* :class:`lutloom.qat.models.detector.Detector`
* :class:`lutloom.qat.models.unet.UNet`
* :class:`lutloom.qat.models.super_resolution.SubPixel`,
  :class:`~lutloom.qat.models.super_resolution.ResizeConvolution`
* :class:`lutloom.qat.models.autoencoder.Autoencoder`

There is no recipe that trains one of these yet; :mod:`lutloom.qat.calibration` draws weights that
are of use without.
"""

from __future__ import annotations

from lutloom.qat.models.registry import build_model, canonical_name, model_names

__all__ = ["build_model", "canonical_name", "model_names"]
