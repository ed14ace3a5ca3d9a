"""Data sets of RGB-thermal pairs.

Cards of data sets need no torch, so pairs are imported on use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
