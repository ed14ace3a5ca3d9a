"""Exported models, run without torch: numpy, Pillow, and onnxruntime or openvino.

Example:
    >>> from samantic.runtime import ExportedModel
    >>> ExportedModel("nano.onnx").predict("rgb.png", "thermal.png").labels.shape
    (480, 640)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
