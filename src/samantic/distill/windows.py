"""Windows of a panorama: half overlapping, all around (GoodSAM, arXiv 2403.16370)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from samantic.config.distill import Window
from samantic.errors import InputError
from samantic.predict.blending import tile_starts

Corner = tuple[int, int]
"""Upper row and left column of a window."""


@dataclass(frozen=True)
class Cut:
    """How images of one size are cut into windows: rows of windows, each all around the image.

    Attributes:
        tops: Upper row of pixels of each row of windows.
        lefts: Left columns of the windows in a row.
        window: Height h and width w of a window in pixels.
        size: Height H and width W of the images in pixels.
        wrap: Whether the left and right edges of the images meet.
    """

    tops: list[int]
    lefts: list[int]
    window: tuple[int, int]
    size: tuple[int, int]
    wrap: bool

    @property
    def corners(self) -> list[Corner]:
        """Corners of the n windows, row by row."""
        return [(top, left) for top in self.tops for left in self.lefts]


def plan_windows(window: Window | None, size: tuple[int, int]) -> Cut:
    """Plan the windows of a panorama; with `window` None, the whole image is the only window.

    Rows of windows lie between the upper and the lower edge.

    Args:
        window: Width of the windows in pixels, with the height of the image; or their height and
            width.
        size: Height H and width W of the image in pixels.

    Raises:
        InputError: A window is larger than the image, or smaller than two pixels.
    """
    height, width = size
    if window is None:
        return Cut([0], [0], size, size, wrap=False)
    high, wide = (height, window) if isinstance(window, int) else window
    if not 2 <= high <= height:
        raise InputError(
            f"window of a height of {high} pixels: the image is {height} high; give from 2 to "
            f"{height}"
        )
    tops = tile_starts(height, high, high // 2)
    return Cut(tops, window_starts(width, wide), (high, wide), size, wrap=True)


def window_starts(width: int, window: int) -> list[int]:
    """Left columns of the fewest windows that overlap by at least half their width [reconstructed].

    The image's edges meet: the last window overlaps the first one.

    Args:
        width: Width of the image in pixels.
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


def cut_window(x: Tensor, corner: Corner, window: tuple[int, int]) -> Tensor:
    """Cut one window out of an image; beyond the right edge it continues at the left edge.

    Args:
        x: (..., H, W), of any type.
        corner: Upper left corner of the window.
        window: Its height h and width w.

    Returns:
        (..., h, w).
    """
    (top, left), (height, width) = corner, window
    rows = x[..., top : top + height, :]
    beyond = left + width - x.shape[-1]
    if beyond <= 0:
        return rows[..., left : left + width]
    return torch.cat([rows[..., left:], rows[..., :beyond]], dim=-1)


def cut_windows(x: Tensor, cut: Cut) -> Tensor:
    """Cut all windows out of an image (..., H, W).

    Returns:
        (n, ..., h, w).
    """
    return torch.stack([cut_window(x, corner, cut.window) for corner in cut.corners])


def stitch(windows: Tensor, cut: Cut) -> Tensor:
    """Put windows back into an image; overlaps are averaged.

    Args:
        windows: (n, ..., h, w) floats.
        cut: The places of the n windows; they leave no gap.

    Returns:
        (..., H, W).
    """
    (height, width), (high, wide) = cut.size, cut.window
    total = windows.new_zeros(*windows.shape[1:-2], height, width)
    count = windows.new_zeros(height, width)
    across = torch.arange(wide, device=windows.device)
    for window, (top, left) in zip(windows, cut.corners, strict=True):
        columns = (left + across) % width
        total[..., top : top + high, :].index_add_(-1, columns, window)
        count[top : top + high, columns] += 1
    return total / count
