"""The student's view of an image: mirrored or rolled; the teacher's view is neither.

Columns are permuted, and the student's output is permuted back, so that windows, masks and targets
stay aligned.
"""

from __future__ import annotations

import torch
from torch import Tensor


def draw_columns(count: int, width: int, flip: float, roll: bool) -> Tensor:
    """For each of N views, the column of the image that each column of the view shows.

    Args:
        count: Number of views N.
        width: Width W of the images in pixels.
        flip: Probability of a horizontal flip.
        roll: Whether a view starts at a random column and wraps around.

    Returns:
        (N, W) int64, a permutation in each row.
    """
    columns = torch.arange(width).expand(count, -1)
    columns = torch.where(torch.rand(count, 1) < flip, columns.flip(1), columns)
    return (columns + torch.randint(width, (count, 1))) % width if roll else columns


def view(images: Tensor, columns: Tensor) -> Tensor:
    """The columns of (N, C, H, W) images in the order of (N, W)."""
    return torch.take_along_dim(images, columns.to(images.device)[:, None, None], dim=3)


def put_back(viewed: Tensor, columns: Tensor) -> Tensor:
    """The inverse of `view`."""
    return view(viewed, columns.argsort(1))
