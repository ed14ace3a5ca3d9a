"""Check that an exported file gives the model's answers for the same raw pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from samantic.config.scaling import Scaling
from samantic.data.camera import RawPair
from samantic.data.pairs import PairedFolder
from samantic.data.thermal import RawThermal
from samantic.errors import InputError
from samantic.measure.counting import truth_of
from samantic.metrics import confusion_matrix, scores
from samantic.predict.asking import PairPredictor
from samantic.run.split import Split, open_labelled, settled
from samantic.scenes.scene import draw_scene

LEAST_AGREEMENT = 0.999
"""Share of equal labels below which a file of full precision is refused."""

ONE_CLASS = 0.9999
"""Share of one class in the file's labels from which the file seems to answer this class only."""


class Sampled(NamedTuple):
    """Pairs that check a file.

    Attributes:
        source: Where they come from, as a phrase.
        pairs: The pairs as the cameras gave them.
        labels: (H, W) each, 255 ignored; None without labels.
    """

    source: str
    pairs: list[RawPair]
    labels: list[NDArray[np.int64]] | None


class Proof(NamedTuple):
    """The answers of an exported file compared with those of its model.

    Attributes:
        source: Where the pairs come from, as a phrase.
        pairs: Number of pairs.
        agreement: Share of pixels with the same label in both answers.
        confidence: Largest difference of the confidence.
        shares: For each class, its share of the pixels in the model's answers and in the file's.
        miou: mIoU of the model and of the file; None without labels.
    """

    source: str
    pairs: int
    agreement: float
    confidence: float
    shares: dict[str, tuple[float, float]]
    miou: tuple[float, float] | None


def generated(
    count: int, size: tuple[int, int], thermal_size: tuple[int, int], kind: str, scaling: Scaling
) -> Sampled:
    """Street scenes of the given sizes, with thermal levels spread over the model's range."""
    pairs: list[RawPair] = []
    for index in range(count):
        scene = draw_scene(1, index, size)
        levels = (scene if thermal_size == size else draw_scene(1, index, thermal_size)).thermal
        low, high = (scaling.low, scaling.high) if scaling.kind == "fixed" else (20000.0, 30000.0)
        values = levels if kind == "uint8" else low + (high - low) * levels.astype(np.float64) / 255
        thermal: RawThermal = values.astype(kind)
        pairs.append((scene.rgb, thermal))
    return Sampled(f"{count} generated scenes", pairs, None)


def from_folder(predictor: Any, split: Split, folder: Path, count: int) -> Sampled:
    """Evenly spaced labelled pairs of a split, in the model's classes.

    Raises:
        InputError: The pairs cannot be read, or their classes are not the model's.
    """
    split = settled(split, [folder])._replace(frames=count)
    data: PairedFolder = open_labelled(split, predictor.info, predictor.camera)[0]
    pairs, labels = [], []
    for index in range(len(data)):
        sample, raw = data.with_raw(index)
        pairs.append(raw)
        labels.append(truth_of(sample).numpy())
    return Sampled(f"{len(data)} pairs of {split.title}", pairs, labels)


def prove(model: PairPredictor, file: PairPredictor, sampled: Sampled) -> Proof:
    """Compare the answers of model and file for the same pairs.

    Raises:
        InputError: One of them cannot answer for a pair.
    """
    classes = model.info.classes
    counts, equal, largest = np.zeros((2, len(classes))), 0.0, 0.0
    matrices = [torch.zeros(len(classes), len(classes), dtype=torch.int64) for _ in range(2)]
    for i, pair in enumerate(sampled.pairs):
        answers = [_only(one, pair) for one in (model, file)]
        ours, theirs = (answer.labels for answer in answers)
        equal += float((ours == theirs).mean())
        largest = max(largest, float(np.abs(answers[0].confidence - answers[1].confidence).max()))
        counts += [np.bincount(x.ravel(), minlength=len(classes)) / x.size for x in (ours, theirs)]
        if sampled.labels is not None:
            truth = torch.from_numpy(sampled.labels[i])
            for matrix, labels in zip(matrices, (ours, theirs), strict=True):
                matrix += confusion_matrix(torch.from_numpy(labels).long(), truth, len(classes))
    before, after = counts / len(sampled.pairs)
    return Proof(
        sampled.source,
        len(sampled.pairs),
        equal / len(sampled.pairs),
        largest,
        {name: (float(b), float(a)) for name, b, a in zip(classes, before, after, strict=True)},
        None if sampled.labels is None else (scores(matrices[0]).miou, scores(matrices[1]).miou),
    )


def _only(model: PairPredictor, pair: RawPair) -> Any:
    answer = next(iter(model.predict_each([pair])))
    if isinstance(answer, InputError):
        raise answer
    return answer


def refuse_unlike(proof: Proof, precision: str, most_drop: float | None = None) -> None:
    """Refuse a file whose answers differ from its model's.

    Args:
        proof: The comparison.
        precision: The file's precision.
        most_drop: Largest allowed drop in points of mIoU; None for no limit.

    Raises:
        InputError: At full precision too few labels agree, the file answers only one class, or its
            mIoU drops too much.
    """
    if precision == "fp32" and proof.agreement < LEAST_AGREEMENT:
        raise InputError(
            f"export: only {proof.agreement:.2%} of the labels of {proof.source} are the model's; "
            "nothing is written; try the other --format, and report it"
        )
    name, (before, after) = max(proof.shares.items(), key=lambda part: part[1][1])
    if after > ONE_CLASS > before:
        raise InputError(
            f"export: the file answers {name} everywhere, the model does not; nothing is written; "
            "take a higher --precision"
        )
    drop = 0.0 if proof.miou is None else 100 * (proof.miou[0] - proof.miou[1])
    if most_drop is not None and drop > most_drop:
        raise InputError(
            f"--max-drop {most_drop:g}: the file loses {drop:.2f} points of mIoU on "
            f"{proof.source}; nothing is written; give more pairs with --count, or take "
            "--precision bf16"
        )
