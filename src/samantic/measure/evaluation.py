"""Measuring a model on a labelled split, frame by frame."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import get_args

import torch
from torch import Tensor
from tqdm import tqdm

from samantic.config.networks import Head
from samantic.data.loading import one_by_one
from samantic.data.pairs import PairedFolder, Sample
from samantic.data.resize import labels_at
from samantic.data.sensors import SENSORS
from samantic.errors import InputError
from samantic.losses import class_prototypes, similarity
from samantic.measure.disturbances import SUITE, Images, disturb
from samantic.measure.gallery import Frame, Gallery
from samantic.metrics import boundary_counts, calibration_counts, confusion_matrix, scores
from samantic.predict.batches import in_batches
from samantic.predict.classifier import Classified
from samantic.predict.predictor import Predictor


@dataclass(frozen=True)
class Evaluation:
    """What was measured on a split of n frames.

    Attributes:
        names: File stems.
        subsets: The subset of each frame, such as day or night; None where its name tells none.
        counts: By name, what was counted of each frame, (n, ...).
        frames: Frames for pictures.
        skipped: What is wrong with each frame that could not be read, by file stem.
        network_seconds: Time that the network took.
        seconds: Time in all.
        disturbances: Under which it was measured too.
        panorama: Whether frames were predicted around their left and right edge.
        eval_size: Short side in pixels that frames were brought to for the network, or None.
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

    @property
    def matrices(self) -> Tensor:
        """(n, K, K) int64, the confusion matrix of each frame; rows are the truth."""
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
        heads = {head: self.counts.get(_of_head(head)) for head in get_args(Head)}
        return {head: part for head, part in heads.items() if part is not None} or None

    def by_disturbance(self) -> dict[str, Tensor | None]:
        """The confusion matrices (n, K, K) under each disturbance; None without an answer."""
        return {name: self.counts.get(name) for name in self.disturbances}

    def vectors(self) -> tuple[Tensor, Tensor]:
        """Mean semantic feature (n, K, D) of each class and frame, and the (n, K) pixels behind it.

        Raises:
            ValueError: The features were not asked for.
        """
        if "features" not in self.counts:
            raise ValueError("evaluate with features=True for the features of classes")
        return self.counts["features"], self.counts["pixels"]

    def similarity(self) -> Tensor:
        """(K, K) cosines of the classes' mean features; NaN for a class that does not occur.

        Raises:
            ValueError: The features were not asked for.
        """
        vectors, pixels = self.vectors()
        return similarity(torch.einsum("nkd,nk->kd", vectors, pixels), pixels.sum(0) > 0)


class _Tally:
    """Tables of what is counted, made for all frames at once.

    A small tensor kept from every frame would lie between the large ones that come and go, and
    split the memory until hardly any large one fits where another was.
    """

    def __init__(self, frames: int) -> None:
        self.frames, self.count = frames, 0
        self.tables: dict[str, Tensor] = {}

    def add(self, counted: dict[str, Tensor]) -> None:
        """A frame's counts, by name; the names are those of the first frame."""
        for name, value in counted.items():
            if name not in self.tables:
                self.tables[name] = value.new_zeros((self.frames, *value.shape))
            self.tables[name][self.count] = value
        self.count += 1

    def counts(self) -> dict[str, Tensor]:
        """(n, ...) of the n frames that were added, by name."""
        return {name: table[: self.count] for name, table in self.tables.items()}


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
    """Predict every pair of a split and count.

    Args:
        predictor: The model.
        dataset: The labelled split; its classes must be the model's.
        disturbances: Keys of `disturbances.SUITE`, under which the model is measured too.
        features: Keep the mean feature of every class and frame.
        pictures: How many evenly spaced frames to keep for pictures.
        extremes: How many of the worst and of the best frames to keep for pictures.
        skip_bad: Go on past pairs that cannot be read.

    Raises:
        InputError: The classes or the modalities differ, a file is broken and not to be skipped,
            or all are.
    """
    network, classes = predictor.network, predictor.info.classes
    dataset.check_reader("the model", network.modalities, classes, "evaluate on data that it fits")
    start, measure = perf_counter(), _Measure(predictor, tuple(disturbances), features)
    gallery = Gallery(len(dataset), pictures, extremes)
    names, tally, skipped = [], _Tally(len(dataset)), {}
    samples = tqdm(
        one_by_one(dataset),
        "evaluate",
        len(dataset),
        unit=dataset.noun,
        disable=None,
    )
    answers = in_batches(samples, predictor.batch_size, _kind, measure.classify)
    for index, answer in enumerate(answers):
        if isinstance(answer, InputError):
            if not skip_bad:
                raise answer
            skipped[dataset.files[index].name] = str(answer)
            continue
        sample, found = answer
        truth = _truth(sample)
        images = {sensor: x[None] for sensor, x in sample.images.items()}
        labels, counted = measure(sample.name, images, truth, found)
        names.append(sample.name)
        tally.add(counted)
        pixels = {sensor: SENSORS[sensor].as_pixels(x) for sensor, x in sample.images.items()}
        sure = (255 * found.confidence[0, 0]).round().byte().numpy()
        ids = (truth.byte().numpy(), labels.byte().numpy())
        miou = scores(counted["matrix"]).miou_present
        gallery.add(index, Frame(sample.name, pixels, *ids, miou, sure))
    if not names:
        raise InputError(
            f"{dataset.root}: no {dataset.noun} of the split '{dataset.split}' can be read"
        )
    return Evaluation(
        names,
        [dataset.subset(name) for name in names],
        tally.counts(),
        gallery.frames(),
        skipped,
        measure.seconds,
        perf_counter() - start,
        tuple(disturbances),
        predictor.panorama,
        predictor.size,
    )


class _Measure:
    """Counts frames, and the seconds that the network takes."""

    def __init__(self, predictor: Predictor, disturbances: tuple[str, ...], features: bool) -> None:
        self.predictor, self.disturbances, self.features = predictor, disturbances, features
        self.classes, answer = len(predictor.info.classes), predictor.head
        self.heads = (answer, *(head for head in predictor.network.heads if head != answer))
        self.seconds = 0.0

    def classify(self, samples: list[Sample]) -> list[Classified]:
        """What all heads say of pairs of one size."""
        images = {
            name: torch.stack([sample.images[name] for sample in samples])
            for name in samples[0].images
        }
        found = self._predict(images, self.heads)
        return [found.row(i) for i in range(len(samples))]

    def __call__(
        self, name: str, pair: Images, truth: Tensor, found: Classified
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Predicted class ids (H, W) of a labelled pair, and what is counted of it by name."""
        confidence, (labels, *others) = found.confidence[0, 0], found.labels[:, 0]
        counted = {
            "matrix": confusion_matrix(labels, truth, self.classes),
            "boundary": boundary_counts(labels, truth, self.classes),
            "calibration": calibration_counts(confidence, labels, truth),
            "confidence": confidence.mean(),
        }
        if others:
            for head, ids in zip(self.heads, (labels, *others), strict=True):
                counted[_of_head(head)] = confusion_matrix(ids, truth, self.classes)
        if self.features:
            out = found.output or self.predictor.output(
                pair.get("rgb"), pair.get("thermal")
            )  # tiles have no map of all
            shown = labels_at(truth[None], out.logits.shape[-2:])
            pooled = class_prototypes(out.features.semantic.cpu(), shown, self.classes)
            counted["features"], counted["pixels"] = pooled
        for key, changed in self._disturb(name, pair):
            matrix = counted["matrix"] if changed is pair else self._disturbed(changed, truth)
            if matrix is not None:
                counted[key] = matrix
        return labels, counted

    def _predict(self, pair: Images, heads: Sequence[Head]) -> Classified:
        """`Predictor.classify`, timed."""
        start = perf_counter()
        answer = self.predictor.classify(pair.get("rgb"), pair.get("thermal"), heads)
        self.seconds += perf_counter() - start
        return answer

    def _disturb(self, name: str, pair: Images) -> Iterator[tuple[str, Images]]:
        """The pair under each disturbance; itself where the model reads nothing of what changes."""
        for key in self.disturbances:
            touched = set(SUITE[key].touches) & set(self.predictor.network.modalities)
            yield key, disturb(pair, key, name) if touched else pair

    def _disturbed(self, pair: Images, truth: Tensor) -> Tensor | None:
        """The confusion matrix of a disturbed pair; None if the model has nothing to read."""
        if all(modality not in pair for modality in self.predictor.network.modalities):
            return None
        labels = self._predict(pair, self.heads[:1]).labels[0, 0]
        return confusion_matrix(labels, truth, self.classes)


def _kind(sample: Sample) -> Hashable:
    """Pairs with the same cameras and of one size can go together."""
    return sample.size, *sample.images


def _of_head(head: Head) -> str:
    """The name under which a head's confusion matrix is counted."""
    return f"head {head}"


def _truth(sample: Sample) -> Tensor:
    """The labels of a pair, which an evaluation needs."""
    if sample.labels is None:
        raise ValueError(f"{sample.name}: an evaluation needs labels")
    return sample.labels
