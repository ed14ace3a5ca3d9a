"""Measuring a model on a labelled split, frame by frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple, get_args

import torch
from torch import Tensor

from samantic.config.networks import Head, TestTime
from samantic.data.loading import one_by_one
from samantic.data.pairs import PairedFolder
from samantic.data.samples import Sample
from samantic.data.sensors import SENSORS
from samantic.errors import InputError
from samantic.losses import similarity
from samantic.measure.counting import PLAIN, Counted, FrameCounter, Tally, kind_of, of_head
from samantic.measure.gallery import Frame, Gallery
from samantic.metrics import scores
from samantic.predict.batches import in_batches
from samantic.predict.predictor import Predictor
from samantic.progress import progress


@dataclass(frozen=True)
class Evaluation:
    """The measurements on a split of n frames.

    Attributes:
        names: File stems.
        subsets: The subset of each frame, such as day or night; None where its name gives none.
        counts: The counts of each frame by name, (n, ...).
        frames: Frames for pictures.
        skipped: The error of each frame that could not be read, by file stem.
        network_seconds: Time in seconds that the network took.
        seconds: Total time in seconds.
        disturbances: Disturbances under which the model was measured too.
        panorama: Whether frames were predicted across their left and right edges.
        eval_size: Short side in pixels to which frames were resized for the network, or None.
        tta: Test-time augmentation of the model, or None.
        times: The network's time with test-time augmentation divided by that without.
    """

    names: list[str]
    subsets: list[str | None]
    counts: dict[str, Tensor]
    frames: list[Frame]
    skipped: dict[str, str]
    network_seconds: float
    seconds: float
    disturbances: tuple[str, ...]
    panorama: bool
    eval_size: int | None
    tta: TestTime | None
    times: float

    @property
    def matrices(self) -> Tensor:
        """(n, K, K) int64, the confusion matrix of each frame; rows are the ground truth."""
        return self.counts["matrix"]

    @property
    def matrix(self) -> Tensor:
        """(K, K), the confusion matrix of all frames."""
        return self.matrices.sum(0)

    @property
    def boundary(self) -> Tensor:
        """(3, K), `metrics.boundary_counts` of all frames."""
        return self.counts["boundary"].sum(0)

    @property
    def calibration(self) -> Tensor:
        """(3, 15), `metrics.calibration_counts` of all frames."""
        return self.counts["calibration"].sum(0)

    def confidence(self) -> dict[str, float]:
        """The mean confidence of each frame, by name."""
        return dict(zip(self.names, self.counts["confidence"].tolist(), strict=True))

    def by_subset(self) -> dict[str, Tensor]:
        """The confusion matrices (m, K, K) of the frames of each subset."""
        names = sorted({name for name in self.subsets if name is not None})
        chosen = {name: torch.tensor([name == s for s in self.subsets]) for name in names}
        return {name: self.matrices[frames] for name, frames in chosen.items()}

    def by_head(self) -> dict[Head, Tensor] | None:
        """The confusion matrices (n, K, K) of each head; None of a network with one."""
        heads = {head: self.counts.get(of_head(head)) for head in get_args(Head)}
        return {head: part for head, part in heads.items() if part is not None} or None

    def without_tta(self) -> Tensor:
        """The confusion matrices (n, K, K) without test-time augmentation."""
        return self.matrices if self.tta is None else self.counts[PLAIN]

    def by_disturbance(self) -> dict[str, Tensor | None]:
        """The confusion matrices (n, K, K) under each disturbance; None without a prediction."""
        return {name: self.counts.get(name) for name in self.disturbances}

    def vectors(self) -> tuple[Tensor, Tensor]:
        """Mean semantic feature (n, K, D) of each class and frame, and its number of pixels (n, K).

        Raises:
            ValueError: The features were not requested.
        """
        if "features" not in self.counts:
            raise ValueError("evaluate with features=True for the features of classes")
        return self.counts["features"], self.counts["pixels"]

    def similarity(self) -> Tensor:
        """(K, K) cosines of the classes' mean features; NaN for a class that does not occur.

        Raises:
            ValueError: The features were not requested.
        """
        vectors, pixels = self.vectors()
        return similarity(torch.einsum("nkd,nk->kd", vectors, pixels), pixels.sum(0) > 0)


@torch.inference_mode()
def evaluate_predictor(
    predictor: Predictor,
    dataset: PairedFolder,
    *,
    disturbances: Sequence[str] = (),
    features: bool = False,
    pictures: int = 12,
    extremes: int = 0,
    skip_bad: bool = False,
) -> Evaluation:
    """Predict every pair of a split and count confusions.

    Args:
        predictor: The model.
        dataset: The labelled split; its classes must be the model's.
        disturbances: Keys of `disturbances.SUITE`; the model is also measured under each of them.
        features: Whether to keep the mean feature of every class and frame.
        pictures: Number of evenly spaced frames to keep for pictures.
        extremes: Number of worst and of best frames to keep for pictures.
        skip_bad: Whether to skip pairs that cannot be read.

    Raises:
        InputError: The classes or the modalities differ, a file is broken and must not be skipped,
            or all files are broken.
    """
    network, classes = predictor.network, predictor.info.classes
    dataset.check_reader("the model", network.modalities, classes, "evaluate on data that it fits")
    start, counter = perf_counter(), FrameCounter(predictor, disturbances, features)
    each = f"{'an' if dataset.noun == 'image' else 'a'} {dataset.noun}"
    title = f"evaluate, {1 + len(disturbances)} conditions {each}" if disturbances else "evaluate"
    samples = progress(one_by_one(dataset), title, dataset.noun, total=len(dataset))
    answers = in_batches(samples, predictor.batch_size, kind_of, counter)
    kept = collect(dataset, answers, pictures=pictures, extremes=extremes, skip_bad=skip_bad)
    return Evaluation(
        *kept,
        counter.seconds,
        perf_counter() - start,
        tuple(disturbances),
        predictor.panorama,
        predictor.size,
        predictor.tta,
        counter.times,
    )


class Collected(NamedTuple):
    """The data that are kept of the frames of a split; see `Evaluation`."""

    names: list[str]
    subsets: list[str | None]
    counts: dict[str, Tensor]
    frames: list[Frame]
    skipped: dict[str, str]


def collect(
    dataset: PairedFolder,
    answers: Iterable[tuple[Sample, Counted] | InputError],
    *,
    pictures: int,
    extremes: int,
    skip_bad: bool,
) -> Collected:
    """Keep the counts of every pair, and some frames for pictures.

    Args:
        dataset: The split.
        answers: The sample and the counts of each pair, or its error.
        pictures: As for `evaluate_predictor`.
        extremes: As for `evaluate_predictor`.
        skip_bad: As for `evaluate_predictor`.

    Raises:
        InputError: A pair that must not be skipped has no counts, or no pair has.
    """
    gallery = Gallery(len(dataset), pictures, extremes)
    names, tally, skipped = [], Tally(len(dataset)), {}
    for index, answer in enumerate(answers):
        if isinstance(answer, InputError):
            if not skip_bad:
                raise answer
            skipped[dataset.files[index].name] = str(answer)
            continue
        sample, counted = answer
        names.append(sample.name)
        tally.add(counted.counts)
        gallery.add(index, _frame(sample, counted))
    if not names:
        raise InputError(
            f"{dataset.root}: no {dataset.noun} of the split '{dataset.split}' can be read"
        )
    subsets = [dataset.subset(name) for name in names]
    return Collected(names, subsets, tally.counts(), gallery.frames(), skipped)


def _frame(sample: Sample, counted: Counted) -> Frame:
    """A frame in the form for pictures."""
    pixels = {sensor: SENSORS[sensor].as_pixels(x) for sensor, x in sample.images.items()}
    assert sample.labels is not None  # noqa: S101  # its pixels were counted
    ids = (sample.labels.byte().numpy(), counted.labels.byte().numpy())
    miou = scores(counted.counts["matrix"]).miou_present
    sure = (255 * counted.confidence).round().byte().numpy()
    return Frame(sample.name, pixels, *ids, miou, sure)
