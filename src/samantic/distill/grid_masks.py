"""Masks of everything in an image: a grid of clicks, and the masks that pass the filters.

Follows SAM's automatic mask generation (arXiv 2304.02643, appendix B), for images of any size.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from samantic.models.encoders.encoder import to_image
from samantic.models.promptable import PromptableSAM

CHUNK = 16
"""Number of masks that are upsampled at a time, which limits the memory."""


class ImageMasks(NamedTuple):
    """The masks of one image, the best first.

    Attributes:
        masks: (M, H, W) bool.
        quality: (M,), the network's estimate of each mask's IoU.
    """

    masks: Tensor
    quality: Tensor


@torch.inference_mode()
def grid_masks(
    sam: PromptableSAM,
    image: Tensor,
    *,
    side: int = 16,
    quality: float = 0.7,
    stability: float = 0.8,
    overlap: float = 0.7,
    smallest: int = 64,
    longest: int | None = None,
    chunk: int = 16,
) -> ImageMasks:
    """Click on a grid, and keep masks of high quality that are stable, large and no duplicates.

    Only the masks that are kept are upsampled to the image's size.

    Args:
        sam: The network.
        image: (3, H, W) in [0, 1].
        side: Clicks along the longer side; the grid is square, which gives the number along the
            other.
        quality: Smallest predicted IoU of a mask.
        stability: Smallest IoU between the mask cut at logit +1 and at logit -1.
        overlap: Of two masks with a larger IoU, the one of lower quality is dropped.
        smallest: Smallest area in pixels.
        longest: Longer side in pixels to which the image is resized for the network; None does not
            resize.
        chunk: Clicks at a time: more take more memory, and on a CPU more time.
    """
    size = image.shape[-2:]
    seen = _resized(image, longest)
    encoded = sam.encode(seen[None])
    height, width = seen.shape[-2:]
    # half of it here, since an area in coarse pixels is inaccurate; at the end, pixels are counted
    least = smallest / 2 * (height * width) / (size[0] * size[1] * sam.stride**2)
    found, scores = [], []
    for points in torch.split(click_grid(height, width, side).to(image.device), chunk):
        answers = sam.decode_coarse(encoded, points=points[None, :, None])
        sure = answers.quality[0] >= quality
        logits, expected = answers.logits[0][sure], answers.quality[0][sure]
        rows, columns = (math.ceil(side / sam.stride) for side in (height, width))
        inside = logits[:, :rows, :columns]  # without the padding
        keep = (stabilities(inside) >= stability) & ((inside > 0).sum(dim=(1, 2)) >= least)
        found.append(logits[keep])
        scores.append(expected[keep])
    logits, expected = torch.cat(found), torch.cat(scores)
    chosen = without_duplicates(logits > 0, expected, overlap)
    masks = _draw(logits[chosen], (height, width), size, sam.stride)
    large = masks.flatten(1).sum(1) >= smallest
    return ImageMasks(masks[large], expected[chosen][large])


def _resized(image: Tensor, longest: int | None) -> Tensor:
    """Resize an image (3, H, W) so that its longer side has `longest` pixels."""
    height, width = image.shape[-2:]
    if longest is None or max(height, width) == longest:
        return image
    factor = longest / max(height, width)
    size = max(1, round(height * factor)), max(1, round(width * factor))
    return F.interpolate(image[None], size, mode="bilinear", antialias=True)[0].clamp(0, 1)


def _draw(logits: Tensor, seen: tuple[int, int], size: torch.Size, stride: float) -> Tensor:
    """Masks (M, H, W) at the image's size, from logits at a stride of the network's input."""
    masks = torch.empty(len(logits), *size, dtype=torch.bool, device=logits.device)
    for part, out in zip(torch.split(logits, CHUNK), torch.split(masks, CHUNK), strict=True):
        if len(part):
            pixels = to_image(part[None], seen, stride)
            out[:] = (pixels if seen == size else F.interpolate(pixels, size, mode="bilinear")) > 0
    return masks


def click_grid(height: int, width: int, side: int) -> Tensor:
    """(P, 2) evenly spaced pixels (x, y), `side` of them along the longer side of the image."""
    step = max(height, width) / side
    x, y = (
        (torch.arange(max(1, round(size / step))) + 0.5) * size / max(1, round(size / step)) - 0.5
        for size in (width, height)
    )
    return torch.stack([x.repeat(len(y)), y.repeat_interleave(len(x))], dim=1)


def stabilities(logits: Tensor, offset: float = 1.0) -> Tensor:
    """(M,) IoU between every mask (M, H, W) cut at +offset and at -offset; 1 if empty."""
    narrow = (logits > offset).sum(dim=(1, 2))
    wide = (logits > -offset).sum(dim=(1, 2))
    return torch.where(wide > 0, narrow / wide.clamp(min=1), 1.0)


def without_duplicates(masks: Tensor, quality: Tensor, overlap: float) -> Tensor:
    """Indices of the masks (M, H, W) that do not overlap a better one too much, the best first."""
    small = masks.flatten(1).float()
    areas = small.sum(1)
    common = small @ small.T
    iou = common / (areas[:, None] + areas - common).clamp(min=1)
    kept: list[int] = []
    for index in quality.argsort(descending=True).tolist():
        if not kept or bool((iou[index, kept] <= overlap).all()):
            kept.append(index)
    return torch.tensor(kept, dtype=torch.int64, device=masks.device)


def boundaries(masks: Tensor) -> Tensor:
    """Pixels (M, H, W) of masks with at least one of four neighbours outside the mask."""
    inside = F.pad(masks, (1, 1, 1, 1), value=True)
    surrounded = (
        inside[:, 1:-1, :-2] & inside[:, 1:-1, 2:] & inside[:, :-2, 1:-1] & inside[:, 2:, 1:-1]
    )
    return masks & ~surrounded


def dilate(mask: Tensor, distance: int) -> Tensor:
    """Pixels of an (H, W) mask, and all within `distance` of one in the maximum norm."""
    return F.max_pool2d(mask[None].float(), 2 * distance + 1, stride=1, padding=distance)[0] > 0


def boundary_recall(masks: Tensor, labels: Tensor, distance: int = 3) -> float:
    """Share of the class boundaries of an image that lie near a mask's boundary.

    Args:
        masks: (M, H, W) bool.
        labels: (H, W) class ids; boundaries are where horizontal or vertical neighbours differ.
        distance: Largest distance in pixels, in the maximum norm, that counts as near.

    Returns:
        In 0..1; NaN for an image of one class.
    """
    edges = torch.zeros_like(labels, dtype=torch.bool)
    edges[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    edges[1:] |= labels[1:] != labels[:-1]
    near = dilate(boundaries(masks).any(0), distance)
    return float((edges & near).sum() / edges.sum()) if edges.any() else float("nan")
