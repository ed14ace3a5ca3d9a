"""Thermal scaling as tensor operations, so that it can be part of an exported network.

The functions compute in float64 what `data.thermal.scale_thermal` computes with numpy, for a batch
of images at once and without branches that depend on a value.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from samantic.config.scaling import Scaling
from samantic.data.thermal import OUTLIER, PERCENTILES

AROUND = [(y, x) for y in range(3) for x in range(3) if (y, x) != (1, 1)]
"""Row and column of each of the eight neighbours of a pixel in a window of 3x3."""

EXCHANGES = (
    *((0, 1), (2, 3), (4, 5), (6, 7), (0, 2), (1, 3), (4, 6), (5, 7), (1, 2), (5, 6)),
    *((0, 4), (1, 5), (2, 6), (3, 7), (2, 4), (3, 5), (1, 2), (3, 4), (5, 6)),
)
"""Batcher's sorting network for eight values: index pairs; the first gets the smaller value."""


def scale_images(raw: Tensor, scaling: Scaling) -> Tensor:
    """Scale raw thermal images (N, h, w) to (N, 1, h, w) float32 in 0..1.

    Args:
        raw: uint8, uint16, int32 with the values of uint16, or float32.
        scaling: How values become 0..1. `frame` takes the percentiles of each image by itself.

    Raises:
        ValueError: The scaling is 8-bit and the images are deeper.
    """
    if scaling.kind == "8-bit":
        if raw.dtype != torch.uint8:
            raise ValueError(f"thermal scaling 8-bit: the images are {raw.dtype}; scale otherwise")
        levels = raw[:, None].float() / 255
        return 1 - levels if scaling.inverted else levels
    values = _clean(raw)
    low: Tensor | float
    high: Tensor | float
    if scaling.kind == "frame":
        low, high = _percentiles(values)
        spread: Tensor | float = (high - low).clamp(min=1e-12)
    else:
        low, spread = scaling.low, max(scaling.high - scaling.low, 1e-12)
    scaled = ((values - low) / spread).clamp(0, 1)
    return (1 - scaled if scaling.inverted else scaled).float()[:, None]


def _clean(raw: Tensor) -> Tensor:
    """`data.thermal.clean` for (N, h, w): float64, without NaN, infinite, hot and dead pixels.

    An image without any finite pixel becomes 0.
    """
    values = raw.double()
    if raw.dtype == torch.uint8:
        return values
    known = values.isfinite()
    if raw.is_floating_point():
        values = torch.where(known, values, _median(values, known))
    low, high = _percentiles(values)
    margin = OUTLIER * (high - low).clamp(min=1e-12)
    least, *_, most = ordered = _neighbours(values)
    hot, dead = values > most + margin, values < least - margin
    middle = ordered[len(ordered) // 2]  # scipy's median filter takes the upper middle of eight
    cleaned = torch.where(~known | hot | dead, middle, values)
    return torch.where(known.flatten(1).any(1)[:, None, None], cleaned, 0.0)


def _median(values: Tensor, known: Tensor) -> Tensor:
    """The median (N, 1, 1) of the known values of each image in (N, h, w)."""
    last = known.flatten(1).sum(1, keepdim=True) - 1
    ordered = torch.where(known, values, torch.inf).flatten(1).sort().values
    middle = torch.cat([last // 2, (last + 1) // 2], dim=1).clamp(min=0)
    return ordered.gather(1, middle).mean(1)[:, None, None]


def _percentiles(values: Tensor) -> tuple[Tensor, Tensor]:
    """The `PERCENTILES` of each image of (N, h, w), (N, 1, 1) each, interpolated as in numpy."""
    flat = values.flatten(1)
    last = flat.shape[1] - 1
    low, high = (share / 100 * last for share in PERCENTILES)
    below, above = math.floor(low), math.floor(high)
    smallest = flat.topk(min(below + 2, last + 1), largest=False).values
    largest = flat.topk(last + 1 - above).values.flip(1)
    found = (_between(smallest[:, below:], low - below), _between(largest, high - above))
    return found[0][:, None, None], found[1][:, None, None]


def _between(ordered: Tensor, share: float) -> Tensor:
    """Interpolate between the first two of (N, n >= 1) values by a share in 0..1, (N,)."""
    first, second = ordered[:, 0], ordered[:, min(1, ordered.shape[1] - 1)]
    step = second - first
    return first + share * step if share < 0.5 else second - (1 - share) * step


def _neighbours(values: Tensor) -> list[Tensor]:
    """The eight neighbours of each pixel of (N, h, w) in ascending order; the border is repeated.

    A sorting network is several times as fast here as a sort along a short dimension.
    """
    height, width = values.shape[1:]
    padded = F.pad(values[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    found = [padded[:, y : y + height, x : x + width] for y, x in AROUND]
    for i, j in EXCHANGES:
        found[i], found[j] = torch.minimum(found[i], found[j]), torch.maximum(found[i], found[j])
    return found
