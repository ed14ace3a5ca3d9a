"""The counts of each frame of a split."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from time import perf_counter
from typing import NamedTuple

import torch
from torch import Tensor

from samantic.config.networks import Head
from samantic.data.resize import labels_at
from samantic.data.samples import Sample
from samantic.losses import class_prototypes
from samantic.measure.disturbances import SUITE, Images, disturb
from samantic.metrics import boundary_counts, calibration_counts, confusion_matrix
from samantic.models.network import remembering
from samantic.predict.classifier import Classified, Classifier
from samantic.predict.predictor import Predictor

PLAIN = "without tta"
"""Name of the counts without test-time augmentation."""

MOST = 8
"""Number of images, or of tiles, whose encodings are cached for the disturbances."""


class Counted(NamedTuple):
    """A frame with its counts.

    Attributes:
        labels: (H, W) int64, the predicted class ids.
        confidence: (H, W), their probability.
        counts: The counts by name.
    """

    labels: Tensor
    confidence: Tensor
    counts: dict[str, Tensor]


class Tally:
    """Tables of counts, allocated for all frames at once.

    A small tensor per frame would stay between the large ones that are allocated and freed, and
    fragment the memory.
    """

    def __init__(self, frames: int) -> None:
        self.frames, self.count = frames, 0
        self.tables: dict[str, Tensor] = {}

    def add(self, counted: dict[str, Tensor]) -> None:
        """Add a frame's counts, by name; the names are those of the first frame."""
        for name, value in counted.items():
            if name not in self.tables:
                self.tables[name] = value.new_zeros((self.frames, *value.shape))
            self.tables[name][self.count] = value
        self.count += 1

    def counts(self) -> dict[str, Tensor]:
        """The counts (n, ...) of the n frames that were added, by name."""
        return {name: table[: self.count] for name, table in self.tables.items()}


class FrameCounter:
    """Predicts with a model and counts confusions, frame by frame.

    A model with test-time augmentation is also run without it.

    Args:
        predictor: The model.
        disturbances: Keys of `disturbances.SUITE`; the model is also run under each of them.
        features: Whether to keep the mean feature of every class and frame.

    Attributes:
        seconds: Time in seconds that the network took.
    """

    def __init__(self, predictor: Predictor, disturbances: Sequence[str], features: bool) -> None:
        self.predictor, self.disturbances, self.features = predictor, disturbances, features
        self.plain, self.classes = predictor.plain(), len(predictor.info.classes)
        answer = predictor.head
        self.heads = (answer, *(head for head in predictor.network.heads if head != answer))
        self._seconds = {"plain": 0.0, "found": 0.0, "disturbed": 0.0}

    @property
    def seconds(self) -> float:
        return sum(self._seconds.values())

    @property
    def times(self) -> float:
        """The network's time with test-time augmentation divided by that without."""
        spent = self._seconds
        return 1.0 if self.predictor.tta is None else spent["found"] / spent["plain"]

    def __call__(self, samples: list[Sample]) -> list[Counted]:
        """Predict labelled pairs of one kind, and count."""
        images, truths = _stacked([s.images for s in samples]), [truth_of(s) for s in samples]
        with remembering(self.predictor.network, MOST if self.disturbances else 0) as memory:
            plain = found = self._timed("plain", self.plain, images, self.heads)
            if self.predictor.tta is not None:
                memory.forget()  # otherwise a cached encoding would shorten the measured time
                found = self._timed("found", self.predictor, images, self.heads)
            counts = [self._count(found.row(i), truth) for i, truth in enumerate(truths)]
            for i, truth in enumerate(truths):
                if self.predictor.tta is not None:
                    counts[i][PLAIN] = confusion_matrix(plain.labels[0, i], truth, self.classes)
                if self.features:
                    counts[i] |= self._features(samples[i], truth, plain.row(i))
            for name, matrices in self._disturbed(samples, images, truths):
                for counted, matrix in zip(counts, matrices, strict=True):
                    counted[name] = counted["matrix"] if matrix is None else matrix
        return [
            Counted(found.labels[0, i], found.confidence[0, i], counted)
            for i, counted in enumerate(counts)
        ]

    def _count(self, found: Classified, truth: Tensor) -> dict[str, Tensor]:
        """The counts of the prediction for a pair, by name."""
        labels, *others = found.labels[:, 0]
        counted = frame_counts(labels, found.confidence[0, 0], truth, self.classes)
        if others:
            matrices = [confusion_matrix(ids, truth, self.classes) for ids in others]
            both = zip(self.heads, [counted["matrix"], *matrices], strict=True)
            counted |= {of_head(head): matrix for head, matrix in both}
        return counted

    def _features(self, sample: Sample, truth: Tensor, plain: Classified) -> dict[str, Tensor]:
        """The mean semantic feature of each class, and the number of its pixels."""
        out = plain.output or self.predictor.output(*sample.batch())  # tiles have no whole map
        shown = labels_at(truth[None], out.logits.shape[-2:])
        pooled = class_prototypes(out.features.semantic.cpu(), shown, self.classes)
        return dict(zip(("features", "pixels"), pooled, strict=True))

    def _timed(
        self, what: str, model: Classifier, pair: Images, heads: Sequence[Head]
    ) -> Classified:
        start = perf_counter()
        answer = model.classify(pair.get("rgb"), pair.get("thermal"), heads)
        self._seconds[what] += perf_counter() - start
        return answer

    def _disturbed(
        self, samples: list[Sample], images: Images, truths: list[Tensor]
    ) -> Iterator[tuple[str, list[Tensor | None]]]:
        """The confusion matrices of pairs under each disturbance.

        None where the model does not read what changes. A disturbance that leaves the model without
        an image is left out.
        """
        reads = set(self.predictor.network.modalities)
        for name in self.disturbances:
            if not reads & set(SUITE[name].touches):
                yield name, [None] * len(samples)
                continue
            each = [
                disturb({sensor: x[i : i + 1] for sensor, x in images.items()}, name, sample.name)
                for i, sample in enumerate(samples)
            ]
            if reads & each[0].keys():
                changed = {sensor: torch.cat([one[sensor] for one in each]) for sensor in each[0]}
                labels = self._timed("disturbed", self.predictor, changed, self.heads[:1]).labels[0]
                pairs = zip(labels, truths, strict=True)
                yield name, [confusion_matrix(*pair, self.classes) for pair in pairs]


def _stacked(images: list[Mapping[str, Tensor]]) -> Images:
    """Images of several pairs, (N, C, H, W) of each sensor."""
    return {sensor: torch.stack([one[sensor] for one in images]) for sensor in images[0]}


def frame_counts(
    labels: Tensor, confidence: Tensor, truth: Tensor, classes: int
) -> dict[str, Tensor]:
    """The counts of every prediction, by name.

    Args:
        labels: (H, W) int64, the predicted class ids.
        confidence: (H, W), their probability.
        truth: (H, W) int64, 255 ignored.
        classes: Classes K.
    """
    return {
        "matrix": confusion_matrix(labels, truth, classes),
        "boundary": boundary_counts(labels, truth, classes),
        "calibration": calibration_counts(confidence, labels, truth),
        "confidence": confidence.mean(),
    }


def truth_of(sample: Sample) -> Tensor:
    """The labels of a pair.

    Raises:
        ValueError: The pair has none.
    """
    if sample.labels is None:
        raise ValueError(f"{sample.name}: an evaluation needs labels")
    return sample.labels


def kind_of(sample: Sample) -> Hashable:
    """Key that is equal for pairs with the same cameras and size, which can form a batch."""
    return sample.size, *sample.images


def of_head(head: Head) -> str:
    """The name of a head's confusion matrix among the counts."""
    return f"head {head}"
