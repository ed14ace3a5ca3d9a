"""SAM made semantic, beyond RGB: RGB-thermal semantic segmentation by adapting SAM2.

Example:
    >>> import samantic
    >>> model = samantic.load("runs/demo/fused")
    >>> model.predict(rgb="rgb.png", thermal="thermal.png").overlay().save("overlay.png")
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.1.0"
