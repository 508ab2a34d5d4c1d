"""The models, by name (:func:`build_model`) or by their class.

Families of classifiers and an autoencoder are in :mod:`lutloom.qat.models.families`, with what is
published of each; ``docs/model_zoo.md`` has them as a table. Classes alone are

* :class:`lutloom.qat.models.detector.Detector`
* :class:`lutloom.qat.models.unet.UNet`
* :class:`lutloom.qat.models.super_resolution.SubPixel`,
  :class:`~lutloom.qat.models.super_resolution.ResizeConvolution`

which give boxes and images: no trainer here has a loss for them.
:mod:`lutloom.qat.calibration` draws weights that are of use without training.
"""

from __future__ import annotations

from lutloom.qat.models.registry import (
    activation_specs,
    build_model,
    canonical_name,
    default_quantization,
    families,
    is_float,
    model_names,
    parse_name,
)

__all__ = [
    "activation_specs",
    "build_model",
    "canonical_name",
    "default_quantization",
    "families",
    "is_float",
    "model_names",
    "parse_name",
]
