"""Images shifted by whole pixels, as misaligned cameras see them."""

from __future__ import annotations

import torch
from torch import Tensor


def shifted(images: Tensor, most: int) -> Tensor:
    """Shift each of (N, C, H, W) images by up to `most` whole pixels per axis; borders repeat."""
    if most == 0:
        return images
    down, right = (torch.randint(-most, most + 1, (len(images), 1)) for _ in range(2))
    return moved(images, down, right)


def moved(images: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Shift each of (N, C, H, W) images by its own whole pixels, (N, 1) each; borders repeat."""
    height, width = images.shape[-2:]
    rows = (torch.arange(height) - down).clamp(0, height - 1).to(images.device)
    columns = (torch.arange(width) - right).clamp(0, width - 1).to(images.device)
    each = torch.arange(len(images), device=images.device)[:, None, None]
    by_pixel = images.movedim(1, -1)[each, rows[:, :, None], columns[:, None, :]]
    return by_pixel.movedim(-1, 1)
