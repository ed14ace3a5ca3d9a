"""SAM made semantic, beyond RGB: RGB-thermal semantic segmentation by adapting SAM2.

Example:
    >>> import samantic
    >>> model = samantic.load("runs/demo/fused")
    >>> model.predict(rgb="rgb.png", thermal="thermal.png").overlay().save("overlay.png")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from samantic.errors import InputError
    from samantic.predict import Predictor, load
    from samantic.prediction import Prediction

__version__ = "0.1.0"
__all__ = ["InputError", "Prediction", "Predictor", "__version__", "load"]

_HOMES = {
    "InputError": "samantic.errors",
    "Prediction": "samantic.prediction",
    "Predictor": "samantic.predict",
    "load": "samantic.predict",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import samantic` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'samantic' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """The public names, also those that were not used yet."""
    return sorted(__all__)
