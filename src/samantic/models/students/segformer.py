"""The student: a compact SegFormer for RGB-thermal pairs (arXiv 2105.15203).

It has the interface of SARTM with a fraction of its parameters. The modalities are fused in its
first convolution: RGB and thermal are stacked as four channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from samantic.config.networks import SegFormerFusion
from samantic.errors import SizeError
from samantic.models.encoders.encoder import normalise
from samantic.models.network import (
    CHANNELS,
    MODALITIES,
    Network,
    Output,
    presence_of,
    put_back,
    taken,
)
from samantic.models.pyramid import Pyramid
from samantic.models.students.segformer_parts import build_segformer, decode
from samantic.models.students.shapes import SegFormerShape

SMALLEST = 32
"""Smallest height and width of an image in pixels, for the reduction of SegFormer's first
attention."""


class Student(Network):
    """SegFormer on RGB, thermal, or both as four channels.

    A channel whose image is missing or not present is 0, the mean of normalised images. A hidden
    image therefore has no influence on the output.

    Args:
        base: Hub id, local folder, or a key of `SEGFORMERS`, or a shape for random weights.
        num_classes: Number of classes K.
        fusion: `early` (four channels), `rgb` (three) or `thermal` (one).

    Raises:
        InputError: The base cannot be loaded.

    Example:
        >>> student = Student("segformer-b0", num_classes=9)
        >>> student(torch.rand(1, 3, 61, 80), torch.rand(1, 1, 61, 80)).logits.shape
        torch.Size([1, 9, 61, 80])
    """

    parts: ClassVar = {"encoder": "encoders", "decode_head": "heads"}

    def __init__(
        self, base: str | SegFormerShape, num_classes: int, *, fusion: SegFormerFusion = "early"
    ) -> None:
        modalities = MODALITIES if fusion == "early" else (fusion,)
        channels = sum(CHANNELS[name] for name in modalities)
        segformer, shape = build_segformer(base, num_classes, channels)
        super().__init__(fusion, modalities, num_classes, shape.widths[2], shape=shape)
        self.encoder, self.decode_head = segformer.segformer, segformer.decode_head

    def forward(
        self,
        rgb: Tensor | None = None,
        thermal: Tensor | None = None,
        present: Tensor | None = None,
        *,
        single_modality: bool = False,
    ) -> Output:
        """Segment a batch of pairs; see `Network.forward`. The features are the encoder's maps.

        Raises:
            ValueError: A shape does not fit, or no given image is one that the variant reads.
        """
        images = self.select(rgb, thermal)
        _check_size(next(iter(images.values())))
        present = presence_of(images, present)
        logits, features = self._segment(images, present)
        one_by_one = images if single_modality and len(images) == 2 else ()
        singles = tuple((self._alone(name, images[name], present), None) for name in one_by_one)
        return Output(logits, None, features, singles)

    def class_parts(self, index: int) -> Iterator[tuple[str, int | None]]:
        yield "decode_head.classifier.weight", index
        yield "decode_head.classifier.bias", index

    def _alone(self, name: str, image: Tensor, present: Tensor) -> Tensor:
        """Logits (N, K, H, W) from one modality; 0 for pairs without it, which are not computed.

        Their blank images would otherwise be part of the batch statistics of the decoder's norm.
        """
        rows = present[:, MODALITIES.index(name)]
        if not bool(rows.any()):
            return image.new_zeros(len(image), self.num_classes, *image.shape[-2:])
        logits, _ = self._segment({name: taken(image, rows)}, taken(present, rows))
        return put_back(logits, rows)

    def _segment(self, images: dict[str, Tensor], present: Tensor) -> tuple[Tensor, Pyramid]:
        """Logits (N, K, H, W), and the encoder's maps at strides 4, 8 and 16."""
        stacked = self._stack(images, present)
        maps = self.encoder(stacked, output_hidden_states=True).hidden_states
        logits = decode(self.decode_head, maps)
        return F.interpolate(logits, stacked.shape[-2:], mode="bilinear"), Pyramid(*maps[:3])

    def _stack(self, images: dict[str, Tensor], present: Tensor) -> Tensor:
        """The normalised channels of all modalities, (N, C, H, W); 0 where there is no image."""
        first = next(iter(images.values()))
        parts = []
        for name in self.modalities:
            if name in images:
                here = present[:, MODALITIES.index(name), None, None, None]
                parts.append(torch.where(here, _standardise(images[name]), 0.0))
            else:
                parts.append(first.new_zeros(first.shape[0], CHANNELS[name], *first.shape[-2:]))
        return torch.cat(parts, dim=1)


def _standardise(images: Tensor) -> Tensor:
    """Normalise RGB by ImageNet's mean and deviation; thermal as the mean of three channels."""
    if images.shape[1] == 3:
        return normalise(images)
    return normalise(images.expand(-1, 3, -1, -1)).mean(1, keepdim=True)


def _check_size(images: Tensor) -> None:
    height, width = images.shape[-2:]
    if min(height, width) < SMALLEST:
        raise SizeError(
            f"images must have at least {SMALLEST}x{SMALLEST} pixels, got {height}x{width}; "
            "enlarge them"
        )
