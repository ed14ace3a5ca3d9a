"""Networks and their parts; each is imported when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from samantic.models.auxiliary import AuxiliaryHead
    from samantic.models.fusion import FeatureFusion, FeatureRectification
    from samantic.models.heads import MaskHead
    from samantic.models.lora import QVLoRA
    from samantic.models.network import Network, Output
    from samantic.models.pyramid import Pyramid
    from samantic.models.sam import load_sam2
    from samantic.models.sartm import SARTM
    from samantic.models.student import Student
    from samantic.models.two_stream import TwoStream

__all__ = [
    "SARTM",
    "AuxiliaryHead",
    "FeatureFusion",
    "FeatureRectification",
    "MaskHead",
    "Network",
    "Output",
    "Pyramid",
    "QVLoRA",
    "Student",
    "TwoStream",
    "load_sam2",
]

_HOMES = {
    "SARTM": "sartm",
    "AuxiliaryHead": "auxiliary",
    "FeatureFusion": "fusion",
    "FeatureRectification": "fusion",
    "MaskHead": "heads",
    "Network": "network",
    "Output": "network",
    "Pyramid": "pyramid",
    "QVLoRA": "lora",
    "Student": "student",
    "TwoStream": "two_stream",
    "load_sam2": "sam",
}


def __getattr__(name: str) -> Any:
    """Import a network when it is first used: those on transformers take seconds to import."""
    if name not in _HOMES:
        raise AttributeError(f"module 'samantic.models' has no attribute {name!r}")
    return getattr(import_module(f"samantic.models.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """The public names, also those that were not used yet."""
    return sorted(__all__)
