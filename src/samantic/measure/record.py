"""The record of an evaluation: metrics.json, confusion matrices by frame, a table."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import version
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import samantic
from samantic.data.pairs import PairedFolder
from samantic.files import read_arrays, replacing
from samantic.losses import similarity
from samantic.measure.disturbances import FAILURE_PROBABILITIES, MISSING, averages, expected_miou
from samantic.measure.evaluation import Evaluation
from samantic.metrics import (
    bootstrap,
    boundary_iou,
    calibration_error,
    class_intervals,
    paired_difference,
    protocol_miou,
    rank_correlation,
    scores,
    to_json,
)
from samantic.metrics.protocols import Protocol
from samantic.models.text import TextVectors
from samantic.predict.tta import TTA


def metrics_json(
    evaluation: Evaluation,
    dataset: PairedFolder,
    *,
    seed: int | None = None,
    text: TextVectors | None = None,
) -> dict[str, Any]:
    """The content of metrics.json, as docs/metrics.schema.json describes it.

    Args:
        evaluation: The measurements; with features if `text` is given.
        dataset: The data set of the evaluation.
        seed: Seed of the training, for the record.
        text: Vectors of the class names, to compare the features with.
    """
    classes, matrices = dataset.classes, evaluation.matrices
    boundaries = boundary_iou(evaluation.boundary)
    present = matrices.sum((0, 2)) > 0
    subsets = evaluation.by_subset()
    robustness, heads = _robustness(evaluation, classes), evaluation.by_head() or {}
    content = {
        "dataset": dataset.spec.title,
        "split": dataset.split,
        "panorama": evaluation.panorama,
        "eval_size": evaluation.eval_size,
        "tta": _tta(evaluation, classes),
        "skipped": evaluation.skipped,
        **measured(matrices, classes),
        "iou_interval": _by_class(classes, class_intervals(matrices)),
        "boundary_iou": _boundary_mean(boundaries, present),
        "boundary": _by_class(classes, boundaries),
        "ece": calibration_error(evaluation.calibration),
        "protocols": [_by_protocol(matrices, one) for one in dataset.spec.protocols],
        "heads": {head: measured(part, classes) for head, part in heads.items()} or None,
        "unlabelled": int((matrices.sum((1, 2)) == 0).sum()),
        "per_subset": {name: measured(part, classes) for name, part in subsets.items()},
        "robustness": robustness,
        "robustness_summary": robustness and _summary(evaluation, robustness),
        "text_alignment": None if text is None else _alignment(evaluation, text),
        "seconds": {"network": evaluation.network_seconds, "all": evaluation.seconds},
        "seed": seed,
        "git": git_revision(),
        "versions": _versions(),
    }
    found: dict[str, Any] = nulls(content)
    return found


def paired_gain(matrices: Tensor, reference: Tensor) -> dict[str, Any]:
    """What `paired_difference` says, as metrics.json holds it, but for `nulls`."""
    difference, *interval = paired_difference(matrices, reference)
    return {"difference": difference, "interval": interval}


def nulls(value: Any) -> Any:
    """The value with None for each NaN, since JSON has no NaN; an interval with a NaN becomes None.

    Example:
        >>> nulls({"miou": float("nan"), "interval": [float("nan"), 0.5], "frames": 1})
        {'miou': None, 'interval': None, 'frames': 1}
    """
    if isinstance(value, dict):
        return {key: nulls(part) for key, part in value.items()}
    if isinstance(value, list):
        parts = [nulls(part) for part in value]
        return None if any(isinstance(part, float) and isnan(part) for part in value) else parts
    return None if isinstance(value, float) and isnan(value) else value


def _by_protocol(matrices: Tensor, protocol: Protocol) -> dict[str, Any]:
    """The mIoU under a protocol of other papers, with its interval."""
    return {
        "name": protocol.name,
        "users": protocol.users,
        "miou": protocol_miou(matrices.sum(0), protocol),
        "interval": list(bootstrap(matrices, protocol)),
    }


def _versions() -> dict[str, str]:
    """Versions of the packages that computed the metrics."""
    return {
        "samantic": samantic.__version__,
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "transformers", "lightning")},
    }


def _boundary_mean(boundaries: Tensor, present: Tensor) -> float:
    """Mean boundary IoU over all classes, an absent one counting 0; NaN without any class."""
    if not present.any():
        return torch.nan
    return boundaries.where(present, torch.nan).nan_to_num(0.0).mean().item()


def measured(matrices: Tensor, classes: tuple[str, ...]) -> dict[str, Any]:
    """Frames, scores and the interval of the mIoU of (n, K, K) confusion matrices."""
    return {
        "frames": len(matrices),
        **to_json(scores(matrices.sum(0)), classes),
        "miou_interval": list(bootstrap(matrices)),
    }


def _by_class(classes: tuple[str, ...], values: Tensor) -> dict[str, Any]:
    """Values (K,) or (K, 2) by class name; null where they are NaN."""
    return {
        name: None if value.isnan().any() else value.tolist()
        for name, value in zip(classes, values, strict=True)
    }


def _robustness(evaluation: Evaluation, classes: tuple[str, ...]) -> dict[str, Any] | None:
    """The scores under each disturbance; null where the model cannot predict."""
    disturbed = evaluation.by_disturbance()
    if not disturbed:
        return None
    return {n: None if m is None else measured(m, classes) for n, m in disturbed.items()}


def _tta(evaluation: Evaluation, classes: tuple[str, ...]) -> dict[str, Any] | None:
    """The scores without test-time augmentation, and its cost and gain."""
    if evaluation.tta is None:
        return None
    without = evaluation.without_tta()
    return {
        "kind": evaluation.tta,
        "views": len(TTA[evaluation.tta]),
        "times": evaluation.times,
        "without": measured(without, classes),
        "difference": paired_gain(evaluation.matrices, without),
    }


def _summary(evaluation: Evaluation, robustness: dict[str, Any]) -> dict[str, Any]:
    """Mean mIoU of each kind of disturbance, and the expected mIoU if cameras fail at times."""
    mious = {name: part and part["miou"] for name, part in robustness.items()}
    if not set(MISSING) <= set(mious):
        return averages(mious)
    both = scores(evaluation.matrix).miou
    no_rgb, no_thermal = (mious[name] or 0.0 for name in MISSING)
    expected = {str(p): expected_miou(both, no_rgb, no_thermal, p) for p in FAILURE_PROBABILITIES}
    return {**averages(mious), "expected": expected}


def _alignment(evaluation: Evaluation, text: TextVectors) -> dict[str, float | int | None]:
    """Spearman's correlation of text and visual similarity, over the pairs that have both."""
    visual = evaluation.similarity()
    value = rank_correlation(visual, similarity(text.vectors, text.known))
    classes = int((text.known & ~visual.diagonal().isnan()).sum())
    return {
        "spearman": None if isnan(value) else value,
        "pairs": classes * (classes - 1) // 2,
    }


def write_confusion(path: Path, evaluation: Evaluation) -> None:
    """Write `names` (n,) and `matrices` (n, K, K) as .npz; intervals need matrices by frame."""
    with replacing(path) as temporary:
        np.savez_compressed(
            temporary, names=np.array(evaluation.names), matrices=evaluation.matrices.numpy()
        )


def read_confusion(path: Path) -> tuple[list[str], Tensor]:
    """Read the names of the frames and their confusion matrices (n, K, K).

    Raises:
        InputError: There is no such file, or it has another content.
    """
    names, matrices = read_arrays(path, "file of confusion matrices", ("names", "matrices"))
    return names.tolist(), torch.from_numpy(matrices)


def git_revision() -> str | None:
    """The commit of the checkout that samantic runs from; None for an installed package."""
    folder = Path(__file__).parents[1]
    if not (folder.parents[1] / ".git").exists():
        return None
    command = ["git", "-C", str(folder), "rev-parse", "HEAD"]  # a fixed command
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return result.stdout.strip() or None
