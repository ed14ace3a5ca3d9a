"""The options of augmentation: random changes of the training pairs. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from samantic.config.options import Options


@dataclass(frozen=True)
class PhotometricConfig(Options, section="augment"):
    """Random changes of RGB and thermal values, and of thermal's alignment.

    Args:
        color: RGB's brightness, contrast and saturation are multiplied by factors within 1 plus or
            minus this (0.4 = up to 40 %).
        hue: RGB's hue is rotated by up to this share of the colour circle; null means color / 8.
        color_probability: Probability of these changes of a pair.
        blur: Probability of a Gaussian blur of the RGB image.
        blur_size: Side of the blur's kernel in pixels, an odd number.
        blur_sigma: Smallest and largest standard deviation of the blur in pixels.
        thermal_gain: Thermal contrast changes by up to this fraction, and its level moves by up to
            this share of the way to black or to white.
        thermal_noise: Largest standard deviation of noise added to thermal (range 0..1).
        misalign: Thermal is shifted by up to this many pixels in each direction, as if the cameras
            were misaligned.
        modality_dropout: Probability of hiding each modality from a sample; never both.
    """

    color: float = 0.4
    hue: float | None = None
    color_probability: float = 0.8
    blur: float = 0.1
    blur_size: int = 5
    blur_sigma: tuple[float, float] = (0.1, 2.0)
    thermal_gain: float = 0.2
    thermal_noise: float = 0.02
    misalign: int = 0
    modality_dropout: float = 0.1

    def broken(self) -> Iterator[str]:
        if self.blur_size % 2 == 0:
            yield f"augment.blur_size is {self.blur_size}; it must be an odd number"
        if self.blur_sigma[0] > self.blur_sigma[1]:
            yield f"augment.blur_sigma is {self.blur_sigma}; it must be 0 < smallest <= largest"


@dataclass(frozen=True)
class AugmentConfig(PhotometricConfig, section="augment"):
    """Random changes of the training pairs.

    Args:
        crop: Height and width in pixels of the training crops.
        scale: Smallest and largest magnification before the crop. If a crop is larger than the
            image, images are padded with their mean and labels with 255.
        zoom: What a magnification of 1 means: image, the original size (log-uniform in the range);
            or crop, an image whose short side is that of the crop (uniform, as in the works that
            the paper builds on; then set data.eval_size to the crop's short side).
        flip: Probability of a horizontal flip.
        rare: Share of the crops that are placed on a rare class: a class is drawn, then a frame
            that has it. Any class but the most common one is drawn, in proportion to the square
            root of the number of its frames.
        paste: Probability that an object of a class drawn in the same way is pasted from another
            frame of the same subset (such as day or night): RGB, thermal and labels, at its
            original position.
    """

    crop: tuple[int, int] = (480, 640)
    scale: tuple[float, float] = (0.5, 2.0)
    zoom: Literal["image", "crop"] = "image"
    flip: float = 0.5
    rare: float = 0.0
    paste: float = 0.0

    def broken(self) -> Iterator[str]:
        yield from super().broken()
        if self.scale[0] > self.scale[1]:
            yield f"augment.scale is {self.scale}; it must be 0 < smallest <= largest"
