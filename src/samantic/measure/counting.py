"""What is counted of the frames of a split, one by one."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from time import perf_counter
from typing import NamedTuple

import torch
from torch import Tensor

from samantic.config.networks import Head
from samantic.data.pairs import Sample
from samantic.data.resize import labels_at
from samantic.losses import class_prototypes
from samantic.measure.disturbances import SUITE, Images, disturb
from samantic.metrics import boundary_counts, calibration_counts, confusion_matrix
from samantic.predict.classifier import Classified, Classifier
from samantic.predict.predictor import Predictor

PLAIN = "without tta"
"""The name under which the answer without test-time augmentation is counted."""


class Answer(NamedTuple):
    """What a model says of a pair.

    Attributes:
        found: The answer of all heads.
        plain: That without test-time augmentation.
    """

    found: Classified
    plain: Classified


class Tally:
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


class FrameCounter:
    """Asks a model and counts what is right, frame by frame.

    A model with test-time augmentation is asked without it too.

    Args:
        predictor: The model.
        disturbances: Keys of `disturbances.SUITE`, under which it is asked too.
        features: Keep the mean feature of every class and frame.

    Attributes:
        seconds: Time that the network took.
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
        """By how much test-time augmentation prolongs the network's time; 1 without."""
        spent = self._seconds
        return 1.0 if self.predictor.tta is None else spent["found"] / spent["plain"]

    def ask(self, samples: list[Sample]) -> list[Answer]:
        """What the model says of pairs of one kind."""
        images = {
            name: torch.stack([sample.images[name] for sample in samples])
            for name in samples[0].images
        }
        plain = found = self._timed("plain", self.plain, images, self.heads)
        if self.predictor.tta is not None:
            found = self._timed("found", self.predictor, images, self.heads)
        return [Answer(found.row(i), plain.row(i)) for i in range(len(samples))]

    def count(self, sample: Sample, truth: Tensor, answer: Answer) -> dict[str, Tensor]:
        """What is counted of a labelled pair, by name."""
        found = answer.found
        confidence, labels = found.confidence[0, 0], found.labels[:, 0]
        matrices = [confusion_matrix(ids, truth, self.classes) for ids in labels]
        counted = {
            "matrix": matrices[0],
            "boundary": boundary_counts(labels[0], truth, self.classes),
            "calibration": calibration_counts(confidence, labels[0], truth),
        }
        if len(self.heads) > 1:
            counted |= {of_head(h): m for h, m in zip(self.heads, matrices, strict=True)}
        if self.predictor.tta is not None:
            counted[PLAIN] = confusion_matrix(answer.plain.labels[0, 0], truth, self.classes)
        pair = {sensor: x[None] for sensor, x in sample.images.items()}
        if self.features:
            counted |= self._features(pair, truth, answer.plain)
        for key, changed in self._disturb(sample.name, pair):
            matrix = matrices[0] if changed is pair else self._disturbed(changed, truth)
            if matrix is not None:
                counted[key] = matrix
        return counted

    def _features(self, pair: Images, truth: Tensor, plain: Classified) -> dict[str, Tensor]:
        """The mean semantic feature of each class, and the pixels behind it."""
        # tiles have no map of all
        out = plain.output or self.predictor.output(pair.get("rgb"), pair.get("thermal"))
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

    def _disturb(self, name: str, pair: Images) -> Iterator[tuple[str, Images]]:
        """The pair under each disturbance; itself where the model reads nothing of what changes."""
        for key in self.disturbances:
            touched = set(SUITE[key].touches) & set(self.predictor.network.modalities)
            yield key, disturb(pair, key, name) if touched else pair

    def _disturbed(self, pair: Images, truth: Tensor) -> Tensor | None:
        """The confusion matrix of a disturbed pair; None if the model has nothing to read."""
        if all(modality not in pair for modality in self.predictor.network.modalities):
            return None
        labels = self._timed("disturbed", self.predictor, pair, self.heads[:1]).labels[0, 0]
        return confusion_matrix(labels, truth, self.classes)


def kind_of(sample: Sample) -> Hashable:
    """Pairs with the same cameras and of one size can go together."""
    return sample.size, *sample.images


def of_head(head: Head) -> str:
    """The name under which a head's confusion matrix is counted."""
    return f"head {head}"
