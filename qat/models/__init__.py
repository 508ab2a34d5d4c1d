"""The models: TFC, SFC and LFC by name, each in 1W1A, 1W2A and 2W2A; others by their class.

* :class:`lutloom.qat.models.cnv.Cnv`
* :class:`lutloom.qat.models.vgg.Vgg16`, whole or depthwise-separable
* :class:`lutloom.qat.models.vgg10.Vgg10`, for radio signals
* :class:`lutloom.qat.models.keyword_spotting.KeywordSpotting`
* :class:`lutloom.qat.models.mobilenet.MobileNet`

There is no recipe that trains the latter yet; :mod:`lutloom.qat.calibration` draws ones that are of
use without.
"""

from __future__ import annotations

from lutloom.qat.models.registry import build_model, canonical_name, model_names

__all__ = ["build_model", "canonical_name", "model_names"]
