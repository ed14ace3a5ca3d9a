"""Measuring a model on a labelled split: one confusion matrix, in all and per subset."""

from __future__ import annotations

import platform
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import lightning
import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

import samantic
from samantic.data.loading import eval_loader
from samantic.data.pairs import PairedFolder
from samantic.errors import InputError
from samantic.metrics import Scores, confusion_matrix, scores, to_json
from samantic.predict import Predictor


class Frame(NamedTuple):
    """One evaluated frame, kept for pictures.

    Attributes:
        name: File stem.
        rgb: (H, W, 3) uint8.
        thermal: (H, W) uint8.
        truth: (H, W) uint8 class ids, 255 ignored.
        prediction: (H, W) uint8 class ids.
        miou: Mean IoU of the classes present in this frame.
    """

    name: str
    rgb: NDArray[np.uint8]
    thermal: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    prediction: NDArray[np.uint8]
    miou: float


class Evaluation(NamedTuple):
    """What was measured on a split.

    Attributes:
        matrix: (K, K) int64 confusion matrix of all frames, rows are the truth.
        subsets: The same for the frames of each subset, such as day and night.
        frames: Evenly spaced frames for pictures.
        total: Frames in all.
    """

    matrix: Tensor
    subsets: dict[str, Tensor]
    frames: list[Frame]
    total: int


@torch.inference_mode()
def evaluate_predictor(
    predictor: Predictor, dataset: PairedFolder, *, workers: int = 0, pictures: int = 12
) -> Evaluation:
    """Predict every pair of a split and count.

    Args:
        predictor: The model.
        dataset: The labelled split; its classes must be the model's.
        workers: Processes that load images.
        pictures: How many frames to keep for pictures.

    Raises:
        InputError: The classes differ, or a file is broken.
    """
    if dataset.classes != predictor.info.classes:
        raise InputError(
            f"{dataset.root}: classes {', '.join(dataset.classes)}, but the model knows "
            f"{', '.join(predictor.info.classes)}; evaluate on data with the model's classes"
        )
    num_classes = len(dataset.classes)
    matrices: dict[str, Tensor] = defaultdict(
        lambda: torch.zeros(num_classes, num_classes, dtype=torch.int64)
    )
    kept = set(np.linspace(0, len(dataset) - 1, min(pictures, len(dataset))).round().astype(int))
    frames = []
    batches = tqdm(eval_loader(dataset, workers), desc="evaluate", unit="pair", disable=None)
    for index, batch in enumerate(batches):
        out = predictor.network(batch.rgb.to(predictor.device), batch.thermal.to(predictor.device))
        labels = out.probabilities(predictor.info.model.prediction).argmax(1).cpu()
        matrix = confusion_matrix(labels, batch.labels, num_classes)
        matrices["all"] += matrix
        subset = dataset.subset(batch.names[0])
        if subset is not None:
            matrices[subset] += matrix
        if index in kept:
            frames.append(
                Frame(
                    batch.names[0],
                    _pixels(batch.rgb[0]),
                    _pixels(batch.thermal[0])[..., 0],
                    batch.labels[0].byte().numpy(),
                    labels[0].byte().numpy(),
                    scores(matrix).miou_present,
                )
            )
    total = matrices.pop("all")
    return Evaluation(total, dict(sorted(matrices.items())), frames, len(dataset))


def metrics_json(
    evaluation: Evaluation, dataset: PairedFolder, *, seed: int | None = None
) -> dict[str, Any]:
    """The content of metrics.json: the scores, per subset too, and where they come from."""
    return {
        "split": dataset.split,
        "frames": evaluation.total,
        **to_json(scores(evaluation.matrix), dataset.classes),
        "per_subset": {
            name: to_json(scores(matrix), dataset.classes)
            for name, matrix in evaluation.subsets.items()
        },
        "robustness": None,
        "seed": seed,
        "git": git_revision(),
        "versions": {
            "samantic": samantic.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "lightning": lightning.__version__,
        },
    }


def git_revision() -> str | None:
    """The commit of the checkout that samantic runs from; None for an installed package."""
    folder = Path(__file__).parent
    if not (folder.parents[1] / ".git").exists():
        return None
    command = ["git", "-C", str(folder), "rev-parse", "HEAD"]  # a fixed command
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return result.stdout.strip() or None


def table(result: Scores, classes: tuple[str, ...], subsets: dict[str, Scores]) -> str:
    """Per-class IoU in per cent, one column for all frames and one per subset, as text."""
    columns = {"all": result, **subsets}
    width = max(len(name) for name in (*classes, "mIoU (present)"))
    rows = [f"{'IoU %':{width}}" + "".join(f"{name:>8}" for name in columns)]
    for index, name in enumerate(classes):
        values = (column.iou[index].item() for column in columns.values())
        rows.append(f"{name:{width}}" + "".join(_percent(value) for value in values))
    rows.append("-" * len(rows[0]))
    for title, field in (("mIoU", "miou"), ("mIoU (present)", "miou_present")):
        values = (getattr(column, field) for column in columns.values())
        rows.append(f"{title:{width}}" + "".join(_percent(value) for value in values))
    return "\n".join(rows)


def _percent(value: float) -> str:
    return f"{'absent':>8}" if value != value else f"{100 * value:8.2f}"


def _pixels(image: Tensor) -> NDArray[np.uint8]:
    """(C, H, W) in [0, 1] back to (H, W, C) uint8."""
    pixels: NDArray[np.uint8] = (image * 255).round().byte().permute(1, 2, 0).numpy()
    return pixels
