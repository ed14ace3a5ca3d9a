"""Large images in overlapping tiles, blended, in memory that does not grow with their height."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def tile_starts(length: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin along a side: evenly spaced, at least `overlap` in common, none beyond.

    Example:
        >>> tile_starts(100, 40, 10)
        [0, 30, 60]
    """
    if length <= tile:
        return [0]
    count = -(-(length - overlap) // (tile - overlap))
    return [round(i * (length - tile) / (count - 1)) for i in range(count)]


def blend_tiles(
    probabilities: Callable[[slice, slice], Tensor], height: int, width: int, tile: int
) -> tuple[Tensor, Tensor]:
    """Predict an image tile by tile.

    Tiles have a quarter of their side in common. Where they overlap, their probabilities are
    averaged with weights that fall linearly towards a tile's edge. Only one row of tiles is held.

    Args:
        probabilities: Of rows and columns, (K, h, w).
        height: Of the image in pixels.
        width: Of the image in pixels.
        tile: Side of a tile in pixels.

    Returns:
        The largest probability (H, W) and its class (H, W), int64.
    """
    rows, columns = (tile_starts(side, tile, tile // 4) for side in (height, width))
    deep = min(tile, height)
    confidence = torch.empty(height, width)
    labels = torch.empty(height, width, dtype=torch.int64)
    band = torch.zeros(0)
    weight = torch.zeros(deep, width)
    for top, below in zip(rows, [*rows[1:], height], strict=True):
        for left in columns:
            part = probabilities(slice(top, top + deep), slice(left, left + tile)).cpu()
            band = band if band.numel() else torch.zeros(len(part), deep, width)
            blend = _ramp(part.shape[1], tile)[:, None] * _ramp(part.shape[2], tile)
            band[:, :, left : left + tile] += blend * part
            weight[:, left : left + tile] += blend
        done = below - top
        confidence[top:below], labels[top:below] = (band[:, :done] / weight[:done]).max(0)
        band = torch.cat([band[:, done:], torch.zeros_like(band[:, :done])], dim=1)
        weight = torch.cat([weight[done:], torch.zeros_like(weight[:done])])
    return confidence, labels


def _ramp(length: int, tile: int) -> Tensor:
    """Weights that rise to one over a quarter of a tile from either end."""
    inside = torch.arange(length) + 0.5
    return (torch.minimum(inside, length - inside) / (tile / 4)).clamp(max=1)
