"""Quantization-aware training on Brevitas: data, models, trainer, QONNX export.

Importing this package is cheap; its modules import torch. The rest of Lutloom never imports
it: what is trained here leaves as a QONNX file.

* :mod:`lutloom.qat.data`: data sets in memory, as bytes; formats, downloads
* :mod:`lutloom.qat.models`: the models
* :mod:`lutloom.qat.calibration`: random models that use their levels
* :mod:`lutloom.qat.trainer`: :func:`~lutloom.qat.trainer.train`
* :mod:`lutloom.qat.export`: :func:`~lutloom.qat.export.export_qonnx`
* :mod:`lutloom.qat.run`: a Brevitas model over NumPy arrays
"""

from __future__ import annotations
