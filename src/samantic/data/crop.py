"""Random parts of training pairs: one geometry for RGB, thermal and labels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from samantic.config.augment import AugmentConfig
from samantic.config.classes import IGNORE
from samantic.data.images import SMALLEST
from samantic.data.samples import Sample
from samantic.errors import InputError


class Crop(NamedTuple):
    """A window over an image, resized to a fixed size and perhaps mirrored.

    Attributes:
        top: First row of the window; negative where it begins above the image.
        left: First column of the window; negative where it begins left of the image.
        height: Rows of the window.
        width: Columns of the window.
        size: Height and width after resizing.
        mirror: Whether the result is mirrored left to right.
    """

    top: int
    left: int
    height: int
    width: int
    size: tuple[int, int]
    mirror: bool

    def smooth(self, x: Tensor) -> Tensor:
        """Crop floats (C, H, W): bilinear with antialiasing, padded with each channel's mean."""

        def resize(x: Tensor, size: tuple[int, int]) -> Tensor:
            return F.interpolate(x[None], size, mode="bilinear", antialias=True)[0]

        return self._cut(x, resize, lambda: x.mean((1, 2))[:, None, None])

    def nearest(self, x: Tensor, fill: int = 0) -> Tensor:
        """Crop ids or masks (..., H, W): nearest neighbour, padded with `fill`."""

        def resize(x: Tensor, size: tuple[int, int]) -> Tensor:
            return F.interpolate(x[None].float(), size, mode="nearest-exact")[0]

        flat = x.reshape(-1, *x.shape[-2:])
        cut = self._cut(flat, resize, lambda: torch.tensor(fill, dtype=x.dtype))
        return cut.view(*x.shape[:-2], *self.size)

    def _cut(
        self,
        x: Tensor,
        resize: Callable[[Tensor, tuple[int, int]], Tensor],
        fill: Callable[[], Tensor],
    ) -> Tensor:
        """Crop (C, H, W) and resize it to `size`; pixels outside the image get `fill`."""
        rows = _span(self.top, self.height, x.shape[1], self.size[0])
        columns = _span(self.left, self.width, x.shape[2], self.size[1])
        out = x[:, rows.start : rows.stop, columns.start : columns.stop]
        if out.shape[1:] != (rows.length, columns.length):
            out = resize(out, (rows.length, columns.length)).to(x.dtype)
        if out.shape[1:] != self.size:
            canvas = fill().to(x.dtype).expand(len(x), *self.size).clone()
            below, right = rows.offset + rows.length, columns.offset + columns.length
            canvas[:, rows.offset : below, columns.offset : right] = out
            out = canvas
        return out.flip(-1) if self.mirror else out


class _Span(NamedTuple):
    """Along one axis: the image's pixels start..stop, and offset and length in the result."""

    start: int
    stop: int
    offset: int
    length: int


def _span(first: int, count: int, extent: int, size: int) -> _Span:
    """The part of an image's axis that a window of `count` pixels shows, brought to `size`."""
    start, stop = max(first, 0), min(first + count, extent)
    offset, end = (round((edge - first) * size / count) for edge in (start, stop))
    return _Span(start, stop, offset, max(1, end - offset))


class RandomCrop:
    """Cut the same random window out of RGB, thermal and labels, resized and perhaps mirrored.

    The magnification is drawn from `scale`. With `zoom` image it is relative to the image's own
    pixels and log-uniform. With `zoom` crop it is uniform, and relative to the magnification that
    brings the image's short side to the crop's short side. DELIVER augments in this way (arXiv
    2303.01480), and SARTM's released configuration follows DELIVER. Pixels of the window outside
    the image are padded: images with their mean, labels with `fill`. Images are resampled
    bilinearly with antialiasing, labels by nearest neighbour.

    Args:
        config: Crop size, range and kind of the magnification, probability of a flip.
        fill: Label of pixels outside the image.
    """

    def __init__(self, config: AugmentConfig, fill: int = IGNORE) -> None:
        self.config, self.fill = config, fill

    def __call__(self, sample: Sample) -> Sample:
        return crop_sample(sample, self.draw(*sample.size), self.fill)

    def draw(self, height: int, width: int, pixel: tuple[int, int] | None = None) -> Crop:
        """Draw a random window over an image of this size.

        Args:
            height: Height of the image in pixels.
            width: Width of the image in pixels.
            pixel: A row and a column that the window must contain; None for no constraint.

        Raises:
            InputError: The configured magnification makes such an image, or the window, too small.
        """
        scale = self._scale(height, width)
        h, w = (max(1, round(side / scale)) for side in self.config.crop)
        mirror = float(torch.rand(())) < self.config.flip
        row, column = (None, None) if pixel is None else pixel
        top, left = _place(height, h, row), _place(width, w, column)
        return Crop(top, left, h, w, self.config.crop, mirror)

    def _scale(self, height: int, width: int) -> float:
        """Draw the magnification for an image of this size."""
        least, most = self.config.scale
        unit = 1.0
        if self.config.zoom == "crop":
            unit = min(self.config.crop) / min(height, width)
        self._check(height, width, unit)
        drawn = torch.empty(())
        if self.config.zoom == "crop":
            return unit * float(drawn.uniform_(least, most))
        return math.exp(float(drawn.uniform_(math.log(least), math.log(most))))

    def _check(self, height: int, width: int, unit: float) -> None:
        """Refuse a range that makes the image too small, or the window smaller than 2 pixels."""
        least, most = (unit * scale for scale in self.config.scale)
        where = f"augment.scale {list(self.config.scale)}: images of {width}x{height} pixels"
        short = min(height, width)
        if least * short < min(SMALLEST, short):
            bound = math.ceil(1000 * SMALLEST / short / unit) / 1000
            raise InputError(
                f"{where} would be less than {SMALLEST} pixels high or wide; set its lower end to "
                f"{bound} or more"
            )
        if min(self.config.crop) / most < 2:
            bound = math.floor(min(self.config.crop) / 2 / unit)
            raise InputError(
                f"{where} would show less than 2 pixels in a crop; set its upper end to {bound}"
                " or less"
            )


def _place(extent: int, window: int, shown: int | None = None) -> int:
    """Draw the first pixel of a window along one axis.

    A window that fits lies within the axis, and contains the pixel `shown` if one is given. A
    longer window contains the whole axis.
    """
    spare = extent - window
    if spare < 0:
        return -int(torch.randint(1 - spare, ()))
    first, last = 0, spare
    if shown is not None:
        first, last = max(0, shown - window + 1), min(spare, shown)
    return first + int(torch.randint(last - first + 1, ()))


def crop_sample(sample: Sample, crop: Crop, fill: int = IGNORE) -> Sample:
    """Crop a pair and its labels; labels are `fill` outside the image."""
    images = {name: crop.smooth(image).clamp(0, 1) for name, image in sample.images.items()}
    labels = None if sample.labels is None else crop.nearest(sample.labels, fill)
    whole = torch.ones(sample.size, dtype=torch.bool)
    inside = crop.nearest(whole if sample.inside is None else sample.inside)
    return Sample(sample.name, images, labels, None if bool(inside.all()) else inside)
