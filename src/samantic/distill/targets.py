"""The targets for an image from a teacher and masks, and their file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from samantic.config.classes import IGNORE
from samantic.config.distill import ObjectiveConfig
from samantic.data.crop import Crop
from samantic.distill.rectification import complementary_fusion, refined_boundary
from samantic.distill.windows import Cut, stitch
from samantic.files import replacing


class Targets(NamedTuple):
    """The targets of an image, or of N images with a leading dimension; no gradients.

    Attributes:
        teacher: (H, W) int64, the teacher's class ids after its windows are stitched.
        probabilities: (K, H, W), the teacher's stitched probabilities; None if not kept.
        ensemble: E_i, (n, h, w) int64, of each window: the teacher's class ids corrected by the
            masks.
        confident: E_i^H, (n, h, w) int64, its confident part; 255 elsewhere.
        boundary: (H, W) bool, the teacher's boundaries, moved to the masks' boundaries.
    """

    teacher: Tensor
    probabilities: Tensor | None
    ensemble: Tensor
    confident: Tensor
    boundary: Tensor


@torch.no_grad()
def make_targets(
    logits: Tensor, masks: Sequence[Tensor], cut: Cut, options: ObjectiveConfig
) -> Targets:
    """Join a teacher's predictions for the windows of an image with the masks of these windows.

    Args:
        logits: (n, K, h, w).
        masks: (M_i, h, w) bool, of each window.
        cut: The windows.
        options: How masks and classes are joined.
    """
    probabilities = stitch(logits.float().softmax(1), cut)
    labels = logits.argmax(1)
    classes = logits.shape[1]
    parts = list(zip(labels, masks, strict=True))
    smallest, cover = options.smallest, options.cover
    fused = [complementary_fusion(*p, classes, smallest=smallest, cover=cover) for p in parts]
    edges = [refined_boundary(*part, options.distance) for part in parts]
    return Targets(
        probabilities.argmax(0),
        probabilities,
        torch.stack([part.labels for part in fused]),
        torch.stack([part.confident for part in fused]),
        stitch(torch.stack(edges).float(), cut) > 0,
    )


def crop_targets(targets: Targets, crop: Crop) -> Targets:
    """The targets of a part of an image; labels are 255 outside the image.

    A pixel of the crop is on the boundary if any of the image's pixels in it is.
    """
    probabilities, boundary = targets.probabilities, targets.boundary.float()[None]
    whole = crop._replace(size=(crop.height, crop.width))  # without resizing
    return Targets(
        crop.nearest(targets.teacher, IGNORE),
        None if probabilities is None else crop.smooth(probabilities.float()),
        crop.nearest(targets.ensemble, IGNORE),
        crop.nearest(targets.confident, IGNORE),
        F.adaptive_max_pool2d(whole.nearest(boundary), crop.size)[0] > 0,
    )


def stack_targets(targets: Sequence[Targets]) -> Targets:
    """The targets of N images of one size, with a dimension N before."""
    stacked: Any = {
        name: None if part is None else torch.stack([getattr(each, name) for each in targets])
        for name, part in targets[0]._asdict().items()
    }
    return Targets(**stacked)


def within(targets: Targets, inside: Tensor | None) -> Targets:
    """The targets of N images, with pixels outside the images ignored.

    The edge of an image is not a boundary.

    Args:
        targets: Targets of the images, or of crops, which have one window.
        inside: (N, H, W) bool, the pixels that lie in the images; None for all.
    """
    if inside is None:
        return targets
    outside = ~inside
    return targets._replace(
        teacher=targets.teacher.masked_fill(outside, IGNORE),
        ensemble=targets.ensemble.masked_fill(outside[:, None], IGNORE),
        confident=targets.confident.masked_fill(outside[:, None], IGNORE),
        boundary=targets.boundary & ~_grown(outside),
    )


def _grown(mask: Tensor) -> Tensor:
    """Pixels of masks (N, H, W), and their neighbours."""
    return F.max_pool2d(mask[:, None].float(), 3, stride=1, padding=1)[:, 0] > 0


def merge_windows(labels: Tensor, probabilities: Tensor, cut: Cut) -> Tensor:
    """Merge labels of windows into labels of the image; the more probable class wins.

    Args:
        labels: (n, h, w) int64, 255 for none.
        probabilities: (K, H, W), the teacher's.
        cut: The windows.

    Returns:
        (H, W) int64; 255 where no window has a label.
    """
    classes = len(probabilities)
    votes = F.one_hot(labels.where(labels != IGNORE, classes), classes + 1)[..., :-1]
    share = stitch(votes.movedim(-1, 1).float(), cut)
    # at most nine windows contain a pixel, so different shares differ by a ninth or more
    winner = (share + probabilities / 10).argmax(0)
    return winner.where(share.sum(0) > 0, IGNORE)


def write_targets(path: Path, targets: Targets) -> None:
    """Write the targets of an image as .npz: labels as bytes, probabilities as float16."""
    small: dict[str, Any] = {
        name: (part.half() if part.is_floating_point() else part.byte()).cpu().numpy()
        for name, part in targets._asdict().items()
        if part is not None
    }
    # compressing probabilities saves little space and takes longer than computing them
    save = np.savez_compressed if targets.probabilities is None else np.savez
    with replacing(path) as temporary:
        save(temporary, **small)


def read_targets(path: Path) -> Targets:
    """Read a file of `write_targets`; labels stay bytes, which a batch converts to int64."""
    with np.load(path, allow_pickle=False) as file:
        parts: Any = {name: torch.from_numpy(file[name]) for name in file.files}
    return Targets(**{"probabilities": None, **parts})
