"""Random changes of what the cameras saw, each modality by itself; pixels keep their place."""

from __future__ import annotations

import kornia.augmentation as K  # the name its documentation uses
import torch
from torch import Tensor, nn

from samantic.config.augment import PhotometricConfig
from samantic.data.loading import Batch
from samantic.data.sensors import given
from samantic.data.shifts import shifted


class Photometric:
    """Change colours of RGB, and gain, offset and noise of thermal, of a batch on its device.

    With probability `color_probability` RGB is multiplied by a factor uniform within 1 ± `color`,
    and so are its differences to its mean gray (contrast) and to its own gray (saturation); its hue
    turns by up to `hue` of the circle. The four come in random order.
    Thermal is shifted by whole pixels, uniform within ± `misalign` each way, its border repeated;
    its values t, of mean m in the image, become clamp(m + o + (1 + g)(t - m) + σ n) with g uniform
    within ± `thermal_gain`, σ uniform up to `thermal_noise` and n standard normal. The level moves
    by o, up to a share `thermal_gain` of the way from m to black or to white, so that images which
    use a small part of 0..1, as those of a cold night do, are not cut off at its ends.
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
        changes = {"thermal": self._thermal, "rgb": self._rgb}  # in the order of their draws
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
    """Hide at most one modality of each pair that has several, each with `probability`.

    Args:
        present: (N, M) bool of M modalities.
        probability: In 0..1/M, of each modality.

    Returns:
        (N, M) bool; a pair of one modality keeps it.
    """
    draw = torch.rand(len(present), 1, device=present.device)
    turns = torch.arange(present.shape[1], device=present.device)  # the first below, others above
    place = torch.where(turns == 0, draw, 1 - draw - (turns - 1) * probability)
    hidden = (place < probability) & (place >= 0)
    return present & ~(hidden & (present.sum(dim=1, keepdim=True) > 1))
