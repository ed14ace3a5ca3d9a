"""Random changes of training pairs: geometry for both images and labels, the rest per modality."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import kornia.augmentation as K  # the name its documentation uses
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from samantic.config import AugmentConfig, PhotometricConfig
from samantic.data.loading import Batch
from samantic.data.pairs import Sample


class Crop(NamedTuple):
    """A part of an image, brought to a size and perhaps mirrored.

    Attributes:
        top: Its first row.
        left: Its first column.
        height: Its rows.
        width: Its columns.
        size: Height and width that it is brought to.
        mirror: Whether it is mirrored.
    """

    top: int
    left: int
    height: int
    width: int
    size: tuple[int, int]
    mirror: bool

    def smooth(self, x: Tensor) -> Tensor:
        """Of floats (C, H, W), resampled bilinearly with antialiasing."""
        return self._cut(x, lambda x: F.interpolate(x, self.size, mode="bilinear", antialias=True))

    def nearest(self, x: Tensor) -> Tensor:
        """Of ids or masks (..., H, W), by nearest neighbour; of their own type."""

        def resize(x: Tensor) -> Tensor:
            return F.interpolate(x.float(), self.size, mode="nearest-exact")

        return self._cut(x.reshape(-1, *x.shape[-2:]), resize).view(*x.shape[:-2], *self.size)

    def _cut(self, x: Tensor, resize: Callable[[Tensor], Tensor]) -> Tensor:
        out = x[:, self.top : self.top + self.height, self.left : self.left + self.width]
        if (self.height, self.width) != tuple(self.size):
            out = resize(out[None])[0].to(x.dtype)
        return out.flip(-1) if self.mirror else out


class RandomCrop:
    """Cut the same random window out of RGB, thermal and labels, magnified and perhaps mirrored.

    The magnification is log-uniform in the configured range, raised where the window would be
    larger than the image, so that no padding and no change of aspect is ever needed. Images are
    resampled bilinearly with antialiasing, labels by nearest neighbour.
    """

    def __init__(self, config: AugmentConfig) -> None:
        self.config = config

    def __call__(self, sample: Sample) -> Sample:
        return crop_sample(sample, self.draw(*sample.size))

    def draw(self, height: int, width: int) -> Crop:
        """A random part of an image of this size."""
        window = self._window(height, width)
        mirror = float(torch.rand(())) < self.config.flip
        return Crop(*window, self.config.crop, mirror)

    def _window(self, height: int, width: int) -> tuple[int, int, int, int]:
        crop_h, crop_w = self.config.crop
        least, most = self.config.scale
        least = max(least, crop_h / height, crop_w / width)
        log_scale = torch.empty(()).uniform_(math.log(least), math.log(max(least, most)))
        scale = math.exp(float(log_scale))
        h, w = min(height, round(crop_h / scale)), min(width, round(crop_w / scale))
        top = int(torch.randint(height - h + 1, ()))
        left = int(torch.randint(width - w + 1, ()))
        return top, left, h, w


def crop_sample(sample: Sample, crop: Crop) -> Sample:
    """A part of a pair and of its labels."""
    rgb, thermal = (
        None if x is None else crop.smooth(x).clamp(0, 1) for x in (sample.rgb, sample.thermal)
    )
    labels = None if sample.labels is None else crop.nearest(sample.labels)
    return Sample(sample.name, rgb, thermal, labels)


class Photometric:
    """Change colours of RGB, and gain, offset and noise of thermal, of a batch on its device.

    Thermal is shifted by whole pixels, uniform within ± `misalign` each way, its border repeated;
    its values t become clamp(0.5 + (1 + g)(t - 0.5) + o + σ n) with g and o uniform within
    ± `thermal_gain`, σ uniform up to `thermal_noise` and n standard normal.
    """

    def __init__(self, config: PhotometricConfig) -> None:
        self.config = config
        self.rgb = nn.Sequential()
        if config.color:
            color = config.color
            self.rgb.append(K.ColorJiggle(color, color, color, color / 8, p=0.8))
        if config.blur:
            self.rgb.append(K.RandomGaussianBlur((5, 5), (0.1, 2.0), p=config.blur))

    def __call__(self, batch: Batch) -> Batch:
        thermal = None if batch.thermal is None else self._thermal(batch.thermal)
        return batch._replace(
            rgb=self.rgb(batch.rgb).clamp(0, 1),
            thermal=thermal,
            present=modality_dropout(batch.present, self.config.modality_dropout),
        )

    def _thermal(self, images: Tensor) -> Tensor:
        thermal, gain = shifted(images, self.config.misalign), self.config.thermal_gain
        shape = (len(thermal), 1, 1, 1)
        factor, offset = (
            torch.empty(shape, device=thermal.device).uniform_(-gain, gain) for _ in range(2)
        )
        sigma = torch.rand(shape, device=thermal.device) * self.config.thermal_noise
        thermal = 0.5 + (1 + factor) * (thermal - 0.5) + offset + sigma * torch.randn_like(thermal)
        return thermal.clamp(0, 1)


def shifted(images: Tensor, most: int) -> Tensor:
    """Move each of (N, C, H, W) images by up to `most` whole pixels each way; borders repeat."""
    if most == 0:
        return images
    down, right = (torch.randint(-most, most + 1, (len(images), 1)) for _ in range(2))
    return moved(images, down, right)


def moved(images: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Move each of (N, C, H, W) images by its own whole pixels, (N, 1) each; borders repeat."""
    height, width = images.shape[-2:]
    rows = (torch.arange(height) - down).clamp(0, height - 1).to(images.device)
    columns = (torch.arange(width) - right).clamp(0, width - 1).to(images.device)
    each = torch.arange(len(images), device=images.device)[:, None, None]
    by_pixel = images.movedim(1, -1)[each, rows[:, :, None], columns[:, None, :]]
    return by_pixel.movedim(-1, 1)


def modality_dropout(present: Tensor, probability: float) -> Tensor:
    """Hide RGB or thermal, each with `probability`, never both.

    Args:
        present: (N, 2) bool.
        probability: In 0..0.5, of each modality.

    Returns:
        (N, 2) bool; a pair that had one modality only keeps it.
    """
    draw = torch.rand(len(present), 1, device=present.device)
    hidden = torch.cat([draw < probability, draw >= 1 - probability], dim=1)
    return present & ~(hidden & present.all(dim=1, keepdim=True))
