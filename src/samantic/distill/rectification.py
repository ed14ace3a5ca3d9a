"""Distortion-aware rectification: a SAM's masks and a teacher's classes, joined.

The DAR module of GoodSAM (arXiv 2403.16370). Its abstract names the parts; the formulas are
reconstructed.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from samantic.config.classes import IGNORE
from samantic.distill.grid_masks import boundaries, dilate
from samantic.distill.windows import Cut

CHUNK = 32
"""Number of masks whose boundaries are computed at a time, which limits the memory."""


def overlap_consistency(logits: Tensor, cut: Cut) -> Tensor:
    """Consistency of neighbouring windows on the pixels that both contain (L_CC [reconstructed]).

    Let p and q be the predictions of two windows, and X the pixels that neighbours share. Windows
    are neighbours above each other and side by side; the last and the first window of a row are
    neighbours too.

        L = 1/|X| Σ_{x in X} Σ_k (p_k(x) - q_k(x)) (ln p_k(x) - ln q_k(x))

    This is KL(p || q) + KL(q || p). Gradients reach both windows. The loss is zero, with gradients,
    if no pixels are shared, as for a single window.

    Args:
        logits: (n, N, K, h, w), of n windows.
        cut: The places of the windows.
    """
    logs = F.log_softmax(logits, 2, dtype=torch.promote_types(logits.dtype, torch.float32))
    (_, width), (high, wide) = cut.size, cut.window
    rows, columns = len(cut.tops), len(cut.lefts)
    windows = logs.reshape(rows, columns, *logs.shape[1:])
    place = torch.arange(width, device=logits.device)
    places = [(place - left) % width for left in cut.lefts]  # column within each window
    total, pixels = logs.sum() * 0, 0
    for (r, i), (s, j) in _neighbours(rows, columns):
        shared = torch.maximum(places[i], places[j]) < wide
        down = cut.tops[s] - cut.tops[r]
        p = windows[r, i][..., down:, :][..., places[i][shared]]
        q = windows[s, j][..., : high - down, :][..., places[j][shared]]
        total = total + ((p.exp() - q.exp()) * (p - q)).sum()
        pixels += p[:, 0].numel()
    return total / max(pixels, 1)


def _neighbours(rows: int, columns: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Pairs of windows side by side, around the panorama, and above each other, each pair once."""
    across = [(i, i + 1) for i in range(columns - 1)]
    across += [(columns - 1, 0)] if columns > 2 else []
    beside = [((r, i), (r, j)) for r in range(rows) for i, j in across]
    return beside + [((r, i), (r + 1, i)) for r in range(rows - 1) for i in range(columns)]


def refined_boundary(labels: Tensor, masks: Tensor, distance: int = 4) -> Tensor:
    """The teacher's boundaries, moved to the masks' boundaries [reconstructed].

    The result is the boundary pixels of masks within `distance`, in the maximum norm, of a pixel
    whose class differs from that of one of its four neighbours.

    Args:
        labels: (H, W), the teacher's class ids.
        masks: (M, H, W) bool.
        distance: Largest distance in pixels.

    Returns:
        (H, W) bool.
    """
    drawn = torch.zeros_like(labels, dtype=torch.bool)
    for chunk in torch.split(masks, CHUNK):
        drawn |= boundaries(chunk).any(0)
    return drawn & dilate(_class_boundary(labels), distance)


def _class_boundary(labels: Tensor) -> Tensor:
    """Pixels (H, W) whose label differs from one of the four neighbours'."""
    edge = torch.zeros_like(labels, dtype=torch.bool)
    across, down = labels[:, 1:] != labels[:, :-1], labels[1:] != labels[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return edge


class FusedLabels(NamedTuple):
    """Labels from a teacher and a SAM's masks, hard and without gradients.

    Attributes:
        labels: E, (H, W) int64: the class of the smallest mask around a pixel, and the teacher's
            class where there is no mask.
        confident: E^H, (H, W) int64: the same where the class covers enough of its mask; 255
            elsewhere.
    """

    labels: Tensor
    confident: Tensor


@torch.no_grad()
def complementary_fusion(
    labels: Tensor, masks: Tensor, num_classes: int, *, smallest: int = 64, cover: float = 0.6
) -> FusedLabels:
    """Give every mask the class that covers most of it (CTCF [reconstructed]).

    With the teacher's labels y, all pixels of a mask m take the class

        k(m) = argmax_k r_k(m),   r_k(m) = |{x in m : y(x) = k}| / |m|

    Masks are painted from large to small, so that an object covers the larger region that contains
    it. Masks may overlap, as a SAM's do, or not, as those of a label map.

    Args:
        labels: (H, W) int64, the teacher's class ids; pixels with 255 are not counted.
        masks: (M, H, W) bool.
        num_classes: Number of classes K.
        smallest: Masks of fewer pixels are left out.
        cover: Smallest r_k(m) of a mask whose class counts as confident.
    """
    mask, pixel = masks.flatten(1).nonzero(as_tuple=True)  # every pixel of every mask
    counts = _count(mask, labels.flatten()[pixel], (len(masks), num_classes))
    areas = torch.bincount(mask, minlength=len(masks))
    most, winners = counts.max(dim=1)
    order = areas.argsort(descending=True, stable=True)
    order = order[(areas[order] >= smallest) & (most[order] > 0)]
    turns = torch.zeros_like(areas)  # painting order of the masks: 1, 2, ...; 0 for left out
    turns[order] = torch.arange(1, len(order) + 1, device=order.device)
    last = torch.zeros_like(labels).flatten().scatter_reduce(0, pixel, turns[mask], "amax")
    sure = winners.where(most / areas >= cover, IGNORE)
    painted, confident = (
        F.pad(values[order], (1, 0), value=IGNORE)[last].view_as(labels)
        for values in (winners, sure)
    )
    return FusedLabels(painted.where(last.view_as(labels) > 0, labels), confident)


def _count(mask: Tensor, label: Tensor, shape: tuple[int, int]) -> Tensor:
    """How often each label except 255 occurs in each mask, (M, K), from pairs of mask and label."""
    known = label != IGNORE
    pairs = shape[1] * mask[known] + label[known]
    return torch.bincount(pairs, minlength=shape[0] * shape[1]).view(shape)
