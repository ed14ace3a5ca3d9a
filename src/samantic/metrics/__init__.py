"""Metrics: confusion matrices and what follows from them, boundaries, calibration.

Protocols need no torch, so modules that count pixels are imported on use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
