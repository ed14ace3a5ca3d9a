"""Random changes of image values, drawn for each modality by itself; only thermal may shift."""

from __future__ import annotations

import kornia.augmentation as K  # K is the name that kornia's documentation uses
import torch
from torch import Tensor, nn

from samantic.config.augment import PhotometricConfig
from samantic.data.loading import Batch
from samantic.data.sensors import given
from samantic.data.shifts import shifted


class Photometric:
    """Change RGB colours, and thermal gain, level and noise, of a batch on its device.

    RGB: with probability `color_probability`, four changes come in random order. Brightness is
    multiplied by a factor uniform within 1 ± `color`; so are contrast (the difference to the
    image's mean gray) and saturation (the difference to the pixel's own gray). Hue turns by up to
    `hue` of the circle. With probability `blur`, RGB is blurred by a Gaussian.

    Thermal: the image is shifted by whole pixels, uniform within ± `misalign` in each direction;
    its border is repeated. The values t, with mean m over the image, become clamp(m + o + (1 + g)(t
    - m) + σ n), with g uniform within ± `thermal_gain`, σ uniform up to `thermal_noise` and n
    standard normal. The offset o moves the level by up to a share `thermal_gain` of the distance
    from m to 0 or to 1. Images that use a small part of 0..1, such as those of a cold night, are
    therefore not cut off at the ends of the range.
    """

    def __init__(self, config: PhotometricConfig) -> None:
        self.config = config
        self._colours = nn.Sequential()
        color, hue = config.color, config.color / 8 if config.hue is None else config.hue
        if color or hue:
            strengths = (color, color, color, hue)
            self._colours.append(K.ColorJitter(*strengths, p=config.color_probability))
        if config.blur:
            size = (config.blur_size, config.blur_size)
            self._colours.append(K.RandomGaussianBlur(size, config.blur_sigma, p=config.blur))

    def __call__(self, batch: Batch) -> Batch:
        changes = {"thermal": self._thermal, "rgb": self._rgb}  # the order of the random draws
        images = {
            name: change(batch.images[name])
            for name, change in changes.items()
            if name in batch.images
        }
        present = modality_dropout(batch.present, self.config.modality_dropout)
        return batch._replace(images=given({**batch.images, **images}), present=present)

    def _rgb(self, images: Tensor) -> Tensor:
        changed: Tensor = self._colours(images)
        return changed.clamp(0, 1)

    def _thermal(self, images: Tensor) -> Tensor:
        thermal, gain = shifted(images, self.config.misalign), self.config.thermal_gain
        shape = (len(thermal), 1, 1, 1)
        factor, move = (
            torch.empty(shape, device=thermal.device).uniform_(-gain, gain) for _ in range(2)
        )
        mean = thermal.mean(dim=(1, 2, 3), keepdim=True)
        level = mean + move * torch.where(move < 0, mean, 1 - mean)
        sigma = torch.rand(shape, device=thermal.device) * self.config.thermal_noise
        changed = level + (1 + factor) * (thermal - mean) + sigma * torch.randn_like(thermal)
        return changed.clamp(0, 1)


def modality_dropout(present: Tensor, probability: float) -> Tensor:
    """Hide at most one modality of each pair that has several.

    Args:
        present: (N, M) bool, which of M modalities each pair has.
        probability: Probability of each modality to be hidden, in 0..1/M.

    Returns:
        (N, M) bool; a pair with one modality keeps it.
    """
    draw = torch.rand(len(present), 1, device=present.device)
    # the first modality is hidden by draws below `probability`, the others by draws from 1 down
    turns = torch.arange(present.shape[1], device=present.device)
    place = torch.where(turns == 0, draw, 1 - draw - (turns - 1) * probability)
    hidden = (place < probability) & (place >= 0)
    return present & ~(hidden & (present.sum(dim=1, keepdim=True) > 1))
