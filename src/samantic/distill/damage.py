"""Masks degraded on purpose, with the typical faults of a SAM's masks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from samantic.distill.grid_masks import dilate

REACH = 2
"""Largest number of pixels between two masks that count as neighbours."""


@dataclass(frozen=True)
class Damage:
    """How masks are degraded, one step after the other; shares are of the masks of an image.

    Attributes:
        merged: Share that is joined with a neighbour.
        split: Share that is cut in two by a line.
        eroded: Share that loses its border.
        missing: Share that is left out.
        erosion: Width in pixels of the border that an eroded mask loses.
    """

    merged: float = 0.1
    split: float = 0.1
    eroded: float = 0.2
    missing: float = 0.2
    erosion: int = 3


def damaged(masks: Tensor, generator: torch.Generator, damage: Damage = Damage()) -> Tensor:
    """Degrade masks: merge, split and erode some, and leave some out.

    Args:
        masks: (M, H, W) bool.
        generator: On the CPU; its seed determines the result.
        damage: The shares.

    Returns:
        (M', H, W) bool, none of them empty.
    """
    masks = _merge(masks.clone(), _draw(len(masks), damage.merged, generator), generator)
    masks = _split(masks, _draw(len(masks), damage.split, generator), generator)
    for index in _draw(len(masks), damage.eroded, generator):
        masks[index] = ~dilate(~masks[index], damage.erosion)
    masks = _without(masks, _draw(len(masks), damage.missing, generator))
    return masks[masks.flatten(1).any(1)]


def _draw(count: int, share: float, generator: torch.Generator) -> list[int]:
    """A random choice of that share of the indices below `count`."""
    return torch.randperm(count, generator=generator)[: round(share * count)].tolist()


def _merge(masks: Tensor, chosen: list[int], generator: torch.Generator) -> Tensor:
    """Join each chosen mask with one of its neighbours, in place; the neighbour is removed."""
    gone: list[int] = []
    for index in chosen:
        if index in gone:
            continue
        rows, columns = dilate(masks[index], REACH).nonzero(as_tuple=True)
        near = masks[:, rows, columns].any(1)
        near[[index, *gone]] = False
        found = near.nonzero().flatten().tolist()
        if not found:
            continue
        other = found[int(torch.randint(len(found), (), generator=generator))]
        masks[index] |= masks[other]
        gone.append(other)
    return _without(masks, gone)


def _split(masks: Tensor, chosen: list[int], generator: torch.Generator) -> Tensor:
    """Cut each chosen mask in place by a line through one of its pixels; append the other part."""
    pieces = []
    for index in chosen:
        rows, columns = masks[index].nonzero(as_tuple=True)
        if len(rows) == 0:
            continue
        pixel = int(torch.randint(len(rows), (), generator=generator))
        angle = math.pi * float(torch.rand((), generator=generator))
        away = (columns - columns[pixel]) * math.cos(angle) + (rows - rows[pixel]) * math.sin(angle)
        piece = torch.zeros_like(masks[index])
        piece[rows[away > 0], columns[away > 0]] = True
        masks[index] &= ~piece
        pieces.append(piece)
    return torch.cat([masks, *(piece[None] for piece in pieces)])


def _without(masks: Tensor, indices: list[int]) -> Tensor:
    keep = torch.ones(len(masks), dtype=torch.bool, device=masks.device)
    keep[indices] = False
    return masks[keep]
