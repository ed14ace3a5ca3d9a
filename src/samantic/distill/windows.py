"""Windows of a panorama: as tall as it, half overlapping, around it (GoodSAM, arXiv 2403.16370)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from samantic.errors import InputError


def window_starts(width: int, window: int) -> list[int]:
    """Left columns of the fewest windows that have half their width in common [reconstructed].

    The image closes upon itself: the last window overlaps the first one.

    Args:
        width: Of the image in pixels.
        window: Width of a window in pixels.

    Raises:
        InputError: A window is wider than the image, or narrower than two pixels.

    Example:
        >>> window_starts(2048, 1024)
        [0, 512, 1024, 1536]
    """
    if not 2 <= window <= width:
        raise InputError(
            f"window of {window} pixels: the image is {width} wide; give from 2 to {width}"
        )
    if window == width:
        return [0]
    count = -(-2 * width // window)
    return [i * width // count for i in range(count)]


def cut_windows(x: Tensor, starts: Sequence[int], window: int) -> Tensor:
    """Cut windows out of an image, around its right end where they pass it.

    Args:
        x: (..., H, W), of any type.
        starts: Left columns of n windows.
        window: Their width w.

    Returns:
        (n, ..., H, w).
    """
    around = torch.cat([x, x[..., :window]], dim=-1)
    return torch.stack([around[..., left : left + window] for left in starts])


def stitch(windows: Tensor, starts: Sequence[int], width: int) -> Tensor:
    """Put windows back into an image; where they overlap, their mean.

    Args:
        windows: (n, ..., H, w) floats.
        starts: Left columns of the n windows, which leave no gap.
        width: Width W of the image.

    Returns:
        (..., H, W).
    """
    total = windows.new_zeros(*windows.shape[1:-1], width)
    count = windows.new_zeros(width)
    for window, start in zip(windows, starts, strict=True):
        columns = (start + torch.arange(window.shape[-1], device=window.device)) % width
        total = total.index_add(-1, columns, window)
        count[columns] += 1
    return total / count
