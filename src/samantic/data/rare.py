"""Rare classes shown more often: by the choice of frames and crops, and by copy-paste.

Copy-paste follows Ghiasi et al. (arXiv 2012.07177), between frames of one rig and one subset, such
as day or night. A pasted object keeps its place in the image or is mirrored, so its size fits its
place on the road.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.utils.data import Dataset

from samantic.config.augment import AugmentConfig
from samantic.data.crop import RandomCrop, crop_sample
from samantic.data.pairs import PairedFolder
from samantic.data.samples import Sample
from samantic.progress import progress

LEAST = 50
"""A class with fewer pixels in a frame does not count as present in that frame."""

MARGIN = 7
"""Width in pixels of the border around a pasted object in which it is blended into the frame, so
that its shadow and its warmth fade out."""


class Found(NamedTuple):
    """Where the classes occur.

    Attributes:
        pixels: (n, K) int64, pixels of each class in each of n frames.
        wanted: (K,) float, relative frequency with which each class is drawn; 0 for the class with
            the most pixels and for those that no frame has.
    """

    pixels: Tensor
    wanted: Tensor

    def frames(self, label: int) -> Tensor:
        """Indices of the frames that have at least `LEAST` pixels of a class."""
        return (self.pixels[:, label] >= LEAST).nonzero()[:, 0]


class Balanced(Dataset[Sample]):
    """Crops of labelled pairs, of which a share shows rare classes or pasted objects.

    With probability `augment.rare` a class is drawn, then a frame that has it, and the crop
    contains one of its pixels. A class that occurs in n frames is drawn in proportion to the square
    root of n; the class with the most pixels is never drawn. With probability `augment.paste` a
    class is drawn in the same way, then another frame of the same subset (such as day or night)
    that has it. One connected region of the class is pasted in RGB, thermal and labels, at its own
    place or mirrored.

    Args:
        pairs: The pairs, labelled and without a transform.
        config: Probabilities and options of the changes.
    """

    def __init__(self, pairs: PairedFolder, config: AugmentConfig) -> None:
        self.pairs, self.config = pairs, config
        self.crop = RandomCrop(config)
        self.found = find_classes(pairs)
        self.subsets = [pairs.subset(files.name) for files in pairs.files]

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Sample:
        label = self._draw(self.config.rare)
        if label is not None:
            index = _one_of(self.found.frames(label))
        sample = self.pairs[index]
        pasted = self._draw(self.config.paste)
        if pasted is not None:
            sample = self._paste(sample, index, pasted)
        pixel = None if label is None else _pixel(cast(Tensor, sample.labels), label)
        return crop_sample(sample, self.crop.draw(*sample.size, pixel), self.crop.fill)

    def _draw(self, probability: float) -> int | None:
        """Draw a class with the given probability; None otherwise."""
        if float(torch.rand(())) >= probability or not bool(self.found.wanted.any()):
            return None
        return int(torch.multinomial(self.found.wanted, 1))

    def _paste(self, sample: Sample, index: int, label: int) -> Sample:
        """Paste a region of a class from another frame that fits, if there is one."""
        alike = [
            frame
            for frame in self.found.frames(label).tolist()
            if self.subsets[frame] == self.subsets[index] and frame != index
        ]
        if not alike:
            return sample
        source = self.pairs[alike[int(torch.randint(len(alike), ()))]]
        if source.size != sample.size:
            return sample
        mask = _region(cast(Tensor, source.labels) == label)
        if float(torch.rand(())) < self.config.flip:
            source, mask = _mirrored(source), mask.flip(-1)
        return paste(sample, source, mask)


def find_classes(pairs: PairedFolder) -> Found:
    """Count the pixels of each class in each frame."""
    classes = len(pairs.classes)
    frames = progress(pairs.files, "find classes", pairs.noun, delay=1)
    counts = [
        np.bincount(pairs.code.read(cast(Path, files.labels)).ravel(), minlength=256)
        for files in frames
    ]
    pixels = torch.from_numpy(np.stack(counts)[:, :classes])
    wanted = (pixels >= LEAST).sum(0).float().sqrt()
    wanted[pixels.sum(0).argmax()] = 0
    return Found(pixels, wanted)


def paste(sample: Sample, source: Sample, mask: Tensor) -> Sample:
    """Paste the pixels of a mask (H, W) from one pair into another pair of the same size.

    Labels change inside the mask only. Images are also blended around it; the weight falls with the
    distance.
    """
    size = 2 * MARGIN + 1
    share = F.avg_pool2d(mask[None].float(), size, 1, MARGIN, count_include_pad=False)
    share = torch.where(mask, 1.0, (2 * share).clamp(max=1))
    images = {
        name: torch.lerp(image, source.images[name], share) for name, image in sample.images.items()
    }
    labels = torch.where(mask, cast(Tensor, source.labels), cast(Tensor, sample.labels))
    return Sample(sample.name, images, labels, sample.inside)


def _mirrored(sample: Sample) -> Sample:
    images = {name: image.flip(-1) for name, image in sample.images.items()}
    return Sample(sample.name, images, cast(Tensor, sample.labels).flip(-1))


def _region(mask: Tensor) -> Tensor:
    """One connected region of a mask (H, W), drawn with a probability proportional to its size."""
    ids: NDArray[np.int32] = ndimage.label(mask.numpy(), np.ones((3, 3)))[0]
    places = mask.nonzero()
    row, column = places[int(torch.randint(len(places), ()))].tolist()
    return torch.from_numpy(ids == ids[row, column])


def _pixel(labels: Tensor, label: int) -> tuple[int, int] | None:
    """A random pixel of a class; None where pasted pixels cover the class."""
    places = (labels == label).nonzero()
    if not len(places):
        return None
    row, column = places[int(torch.randint(len(places), ()))].tolist()
    return row, column


def _one_of(numbers: Tensor) -> int:
    return int(numbers[int(torch.randint(len(numbers), ()))])
