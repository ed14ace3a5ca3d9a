"""Networks and their parts; each module is imported on first use.

Networks on transformers take seconds to import.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
