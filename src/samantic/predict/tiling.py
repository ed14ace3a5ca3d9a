"""Large images in overlapping tiles, blended, in memory that does not grow with their height."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def tile_starts(length: int, tile: int, overlap: int, wrap: bool = False) -> list[int]:
    """Where tiles begin along a side: evenly spaced, with at least `overlap` in common.

    Args:
        length: Of the side.
        tile: Length of a tile.
        overlap: What neighbours have in common at least.
        wrap: The side closes in itself: tiles may go on at its beginning, and the last overlaps
            the first. Their number is even, so that half a turn takes each to another.

    Example:
        >>> tile_starts(100, 40, 10)
        [0, 30, 60]
        >>> tile_starts(100, 40, 10, wrap=True)
        [0, 25, 50, 75]
    """
    step = tile - overlap
    if wrap:
        count = 2 * -(-length // (2 * step))
        return [i * length // count for i in range(count)]
    if length <= tile:
        return [0]
    count = -(-(length - overlap) // step)
    return [round(i * (length - tile) / (count - 1)) for i in range(count)]


def blend_tiles(
    probabilities: Callable[[slice, Tensor], Tensor],
    height: int,
    width: int,
    tile: tuple[int, int],
    wrap: bool = False,
) -> tuple[Tensor, Tensor]:
    """Predict an image tile by tile.

    Tiles have a quarter of their side in common. Where they overlap, their probabilities are
    averaged with weights that fall linearly towards a tile's edge. Only one row of tiles is held.

    Args:
        probabilities: Of rows and columns (w,), (K, h, w), or of several heads (n, K, h, w).
        height: Of the image in pixels.
        width: Of the image in pixels.
        tile: Height and width of a tile in pixels.
        wrap: The image is a panorama, whose left and right edge meet: tiles lie across them too.

    Returns:
        The largest probability (H, W) and its class (H, W), int64; (n, H, W) of several heads.
    """
    deep, wide = min(tile[0], height), min(tile[1], width)
    rows = tile_starts(height, deep, deep // 4)
    lefts = tile_starts(width, wide, wide // 4, wrap)
    blend = _ramp(deep)[:, None] * _ramp(wide)
    band = confidence = labels = torch.zeros(0)
    weight = torch.zeros(deep, width)
    for top, below in zip(rows, [*rows[1:], height], strict=True):
        for left in lefts:
            columns = (torch.arange(wide) + left) % width
            part = probabilities(slice(top, top + deep), columns).cpu()
            if not band.numel():
                band = torch.zeros(*part.shape[:-2], deep, width)
                confidence = torch.empty(*part.shape[:-3], height, width)
                labels = torch.empty_like(confidence, dtype=torch.int64)
            band[..., columns] += blend * part
            weight[:, columns] += blend
        done = below - top
        most = (band[..., :done, :] / weight[:done]).max(-3)
        confidence[..., top:below, :], labels[..., top:below, :] = most
        band = torch.cat([band[..., done:, :], torch.zeros_like(band[..., :done, :])], dim=-2)
        weight = torch.cat([weight[done:], torch.zeros_like(weight[:done])])
    return confidence, labels


def _ramp(length: int) -> Tensor:
    """Weights that rise to one over a quarter of a tile from either end."""
    inside = torch.arange(length) + 0.5
    return (torch.minimum(inside, length - inside) / (length / 4)).clamp(max=1)
