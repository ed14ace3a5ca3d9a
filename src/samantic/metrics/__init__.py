"""What is measured: confusion matrices and what follows from them, boundaries, calibration."""

from samantic.metrics.boundary import boundary_counts, boundary_iou
from samantic.metrics.calibration import calibration_counts, calibration_error
from samantic.metrics.confusion import Scores, confusion_matrix, iou, scores, to_json
from samantic.metrics.intervals import bootstrap, class_intervals, paired_difference
from samantic.metrics.protocols import ALL_CLASSES, PRESENT_CLASSES, Protocol, protocol_miou
from samantic.metrics.similarity import rank_correlation

__all__ = [
    "ALL_CLASSES",
    "PRESENT_CLASSES",
    "Protocol",
    "Scores",
    "bootstrap",
    "boundary_counts",
    "boundary_iou",
    "calibration_counts",
    "calibration_error",
    "class_intervals",
    "confusion_matrix",
    "iou",
    "paired_difference",
    "protocol_miou",
    "rank_correlation",
    "scores",
    "to_json",
]
