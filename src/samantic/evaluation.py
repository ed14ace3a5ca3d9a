"""Measuring a model on a labelled split: one confusion matrix, in all and per subset."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any, Literal, NamedTuple

import lightning
import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

import samantic
from samantic.data.loading import Batch, eval_loader
from samantic.data.pairs import PairedFolder
from samantic.errors import InputError
from samantic.files import replacing
from samantic.losses import class_prototypes, similarity
from samantic.metrics import (
    Scores,
    bootstrap,
    confusion_matrix,
    rank_correlation,
    scores,
    to_json,
)
from samantic.models.text import TextVectors
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


@dataclass(frozen=True)
class Evaluation:
    """What was measured on a split of n frames.

    Attributes:
        names: File stems.
        matrices: (n, K, K) int64 confusion matrices, rows are the truth.
        subsets: The subset of each frame, such as day or night; None where its name tells none.
        frames: Evenly spaced frames for pictures.
        vectors: (n, K, D) mean semantic feature of each class and frame, if asked for.
        counts: (n, K) pixels at stride 16 behind each of them.
    """

    names: list[str]
    matrices: Tensor
    subsets: list[str | None]
    frames: list[Frame]
    vectors: Tensor | None
    counts: Tensor | None

    @property
    def matrix(self) -> Tensor:
        """(K, K), the confusion matrix of all frames."""
        return self.matrices.sum(0)

    def by_subset(self) -> dict[str, Tensor]:
        """The confusion matrix of the frames of each subset."""
        names = sorted({name for name in self.subsets if name is not None})
        chosen = {name: torch.tensor([name == s for s in self.subsets]) for name in names}
        return {name: self.matrices[frames].sum(0) for name, frames in chosen.items()}

    def similarity(self) -> Tensor:
        """(K, K) cosines of the classes' mean features; NaN for a class that does not occur.

        Raises:
            ValueError: The features were not asked for.
        """
        if self.vectors is None or self.counts is None:
            raise ValueError("evaluate with features=True for the similarity of classes")
        total = self.counts.sum(0)
        return similarity(torch.einsum("nkd,nk->kd", self.vectors, self.counts), total > 0)


@torch.inference_mode()
def evaluate_predictor(
    predictor: Predictor,
    dataset: PairedFolder,
    *,
    missing: Literal["rgb", "thermal"] | None = None,
    features: bool = False,
    pictures: int = 12,
) -> Evaluation:
    """Predict every pair of a split and count.

    Args:
        predictor: The model.
        dataset: The labelled split; its classes must be the model's.
        missing: A modality to withhold from the model.
        features: Keep the mean feature of every class and frame.
        pictures: How many frames to keep for pictures.

    Raises:
        InputError: The classes differ, or a file is broken.
    """
    _check_classes(predictor, dataset)
    num_classes, device = len(dataset.classes), predictor.device
    kept = set(np.linspace(0, len(dataset) - 1, min(pictures, len(dataset))).round().astype(int))
    names, matrices, frames, pooled = [], [], [], []
    title = f"evaluate without {missing}" if missing else "evaluate"
    batches = tqdm(eval_loader(dataset, 0), desc=title, unit="pair", disable=None)
    for index, batch in enumerate(batches):
        out = predictor.network(
            None if missing == "rgb" else batch.rgb.to(device),
            None if missing == "thermal" else batch.thermal.to(device),
        )
        labels = out.probabilities(predictor.info.model.prediction).argmax(1).cpu()
        names.append(batch.names[0])
        matrices.append(confusion_matrix(labels, batch.labels, num_classes))
        if features:
            pooled.append(class_prototypes(out.features.semantic.cpu(), batch.labels, num_classes))
        if index in kept:
            frames.append(_frame(batch, labels[0], scores(matrices[-1]).miou_present))
    return Evaluation(
        names,
        torch.stack(matrices),
        [dataset.subset(name) for name in names],
        frames,
        torch.stack([vectors for vectors, _ in pooled]) if features else None,
        torch.stack([counts for _, counts in pooled]) if features else None,
    )


def _check_classes(predictor: Predictor, dataset: PairedFolder) -> None:
    if dataset.classes != predictor.info.classes:
        raise InputError(
            f"{dataset.root}: classes {', '.join(dataset.classes)}, but the model knows "
            f"{', '.join(predictor.info.classes)}; evaluate on data with the model's classes"
        )


def _frame(batch: Batch, labels: Tensor, miou: float) -> Frame:
    return Frame(
        batch.names[0],
        _pixels(batch.rgb[0]),
        _pixels(batch.thermal[0])[..., 0],
        batch.labels[0].byte().numpy(),
        labels.byte().numpy(),
        miou,
    )


def metrics_json(
    evaluation: Evaluation,
    dataset: PairedFolder,
    *,
    seed: int | None = None,
    text: TextVectors | None = None,
    robustness: dict[str, Evaluation] | None = None,
) -> dict[str, Any]:
    """The content of metrics.json: the scores, per subset too, and where they come from.

    Args:
        evaluation: What was measured; with features if there is a text.
        dataset: On which data.
        seed: Seed of the training, for the record.
        text: Vectors of the class names, to compare the features with.
        robustness: What was measured under each disturbance; None if nothing was asked.
    """
    classes = dataset.classes
    subsets = evaluation.by_subset()
    disturbed = None
    if robustness is not None:
        disturbed = {n: to_json(scores(part.matrix), classes) for n, part in robustness.items()}
    return {
        "split": dataset.split,
        "frames": len(evaluation.names),
        **to_json(scores(evaluation.matrix), classes),
        "miou_interval": list(bootstrap(evaluation.matrices)),
        "per_subset": {name: to_json(scores(matrix), classes) for name, matrix in subsets.items()},
        "robustness": disturbed,
        "text_alignment": None if text is None else _alignment(evaluation, text),
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
    """Write `names` (n,) and `matrices` (n, K, K) as .npz: intervals need them by frame."""
    with replacing(path) as temporary:
        np.savez_compressed(
            temporary, names=np.array(evaluation.names), matrices=evaluation.matrices.numpy()
        )


def read_confusion(path: Path) -> tuple[list[str], Tensor]:
    """Read the names of the frames and their confusion matrices.

    Raises:
        InputError: There is no such file, or it has another content.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return file["names"].tolist(), torch.from_numpy(file["matrices"])
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path}: no confusion matrices ({error}); evaluate anew") from None


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
    widths = [max(8, len(name) + 2) for name in columns]
    margin = max(len(name) for name in (*classes, "mIoU (present)"))

    def line(title: str, cells: Iterable[str]) -> str:
        aligned = (f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        return f"{title:{margin}}" + "".join(aligned)

    rows = [line("IoU %", columns)]
    for index, name in enumerate(classes):
        rows.append(line(name, (_percent(c.iou[index].item()) for c in columns.values())))
    rows.append("-" * len(rows[0]))
    for title, field in (("mIoU", "miou"), ("mIoU (present)", "miou_present")):
        rows.append(line(title, (_percent(getattr(c, field)) for c in columns.values())))
    return "\n".join(rows)


def _percent(value: float) -> str:
    return "absent" if value != value else f"{100 * value:.2f}"


def _pixels(image: Tensor) -> NDArray[np.uint8]:
    """(C, H, W) in [0, 1] back to (H, W, C) uint8."""
    pixels: NDArray[np.uint8] = (image * 255).round().byte().permute(1, 2, 0).numpy()
    return pixels
