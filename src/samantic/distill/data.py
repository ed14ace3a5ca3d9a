"""Unlabelled images with their masks, or with targets that were computed before."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor
from torch.utils.data import Dataset

from samantic.config.augment import AugmentConfig
from samantic.config.distill import ViewConfig
from samantic.data.crop import RandomCrop, crop_sample
from samantic.data.loading import Batch, collate
from samantic.data.pairs import PairedFolder
from samantic.data.samples import Sample
from samantic.distill.targets import Targets, crop_targets, stack_targets
from samantic.errors import InputError


class Lesson(NamedTuple):
    """A pair without labels, with its masks or targets.

    Attributes:
        sample: The images, without labels.
        known: The targets; or, if the teacher is trained too, the masks (M_i, h, w) of each window.
    """

    sample: Sample
    known: Targets | list[Tensor]


class LessonBatch(NamedTuple):
    """Several lessons of one size.

    Attributes:
        pairs: The N pairs.
        targets: Targets of N images; None if the teacher computes them in the step.
        masks: Masks of N images and their windows, if there are no targets.
    """

    pairs: Batch
    targets: Targets | None
    masks: list[list[Tensor]]


class Lessons(Dataset[Lesson]):
    """The pairs of a folder as lessons.

    Args:
        pairs: The folder, without labels.
        known: Returns the targets or masks of a pair.
        view: Its `crop` and `scale` define the part of a pair that a lesson shows; None for all.
    """

    def __init__(
        self,
        pairs: PairedFolder,
        known: Callable[[Sample], Targets | list[Tensor]],
        view: ViewConfig | None = None,
    ) -> None:
        self.pairs, self.known, self.crop = pairs, known, None
        if view is not None and view.crop is not None:  # the student's view is mirrored later
            self.crop = RandomCrop(AugmentConfig(crop=view.crop, scale=view.scale, flip=0.0))

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Lesson:
        sample = self.pairs[index]
        known = self.known(sample)
        if self.crop is None:
            return Lesson(sample, known)
        crop = self.crop.draw(*sample.size)
        part = (
            crop_targets(known, crop)
            if isinstance(known, Targets)
            else [crop.nearest(masks) for masks in known]
        )
        return Lesson(crop_sample(sample, crop), part)


def collate_lessons(lessons: list[Lesson]) -> LessonBatch:
    """Stack lessons of one size.

    Raises:
        InputError: Their sizes differ.
    """
    samples = [lesson.sample for lesson in lessons]
    sizes = {sample.size: sample.name for sample in samples}
    if len(sizes) > 1:
        (height, width), (other_height, other_width) = list(sizes)[:2]
        first, second = list(sizes.values())[:2]
        raise InputError(
            f"{first} has {width}x{height} pixels, {second} {other_width}x{other_height}; bring "
            "the images to one size, or set augment.crop or train.batch_size 1"
        )
    targets = [lesson.known for lesson in lessons if isinstance(lesson.known, Targets)]
    masks = [lesson.known for lesson in lessons if not isinstance(lesson.known, Targets)]
    return LessonBatch(collate(samples), stack_targets(targets) if targets else None, masks)
