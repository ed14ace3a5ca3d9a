"""Networks and their parts."""

from samantic.models.auxiliary import AuxiliaryHead
from samantic.models.fusion import FeatureFusion, FeatureRectification
from samantic.models.heads import MaskHead
from samantic.models.lora import QVLoRA
from samantic.models.network import Network, Output
from samantic.models.sam import Pyramid, load_sam2
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
