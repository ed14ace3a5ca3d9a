"""Loss terms, each a pure function of tensors (SARTM III-D and III-F)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from samantic.config.classes import IGNORE

SEMANTIC_STRIDE = 16
"""Stride of every network's semantic map in pixels."""


def cross_entropy(
    logits: Tensor, labels: Tensor, weight: Tensor | None = None, pixels: Tensor | None = None
) -> Tensor:
    """Mean cross entropy over the valid pixels; zero, with gradients, if there are none.

    With class weights w and pixel weights u, L = Σ_x u_x w(y_x) l_x / Σ_x u_x w(y_x).

    Args:
        logits: (N, K, H, W).
        labels: (N, H, W) int64, 0..K-1 or 255 (ignored).
        weight: (K,) class weights; None gives all classes the same weight.
        pixels: (N, H, W) weights of the pixels, as of `boundary_weights`; None for equal weights.
    """
    return _mean(*_valid(logits, labels, weight, pixels))


def ohem_cross_entropy(
    logits: Tensor,
    labels: Tensor,
    weight: Tensor | None = None,
    pixels: Tensor | None = None,
    *,
    probability: float = 0.7,
    fraction: float = 1 / 16,
    count: Literal["batch", "image"] = "batch",
) -> Tensor:
    """Cross entropy over hard pixels (SARTM eq 11; online hard example mining).

    With the loss l_x = -ln p_x(y_x) of every valid pixel x, the pixels with p_x < `probability` are
    kept, but at least the n hardest, n = max(1, floor(fraction · valid pixels)):

        L = 1/|S| Σ_{x in S} l_x

    With weights, L is the weighted mean as in `cross_entropy`; the weights do not affect the choice
    of pixels. With `count` batch, the valid pixels are those of the batch on this device. With
    `count` image (the paper's words), S_i is chosen in every image i that has valid pixels, with
    its own n_i, and S is the union of all S_i. Without valid pixels the loss is zero and has
    gradients.

    Args:
        logits: (N, K, H, W).
        labels: (N, H, W) int64, 0..K-1 or 255 (ignored).
        weight: (K,) class weights; None gives all classes the same weight.
        pixels: (N, H, W) weights of the pixels; None for equal weights.
        probability: Pixels whose true class is less probable than this are hard.
        fraction: Smallest share of the valid pixels that is kept.
        count: Whether the share is of the `batch` or of each `image`.

    Example:
        >>> labels = torch.zeros(1, 4, 4, dtype=torch.long)
        >>> ohem_cross_entropy(torch.zeros(1, 2, 4, 4), labels)
        tensor(0.6931)
    """
    losses, weights = _valid(logits, labels, weight, pixels)
    sizes = [losses.numel()]
    if count == "image":
        sizes = (labels != IGNORE).flatten(1).sum(1).tolist()
    hard = torch.cat([_hard(part, probability, fraction) for part in torch.split(losses, sizes)])
    return _mean(losses[hard], weights[hard])


def _hard(losses: Tensor, probability: float, fraction: float) -> Tensor:
    """Which of the losses (valid,) are kept, (valid,) bool."""
    hard = losses > -math.log(probability)
    least = max(1, int(losses.numel() * fraction))
    if int(hard.sum()) < least <= losses.numel():
        hard = torch.zeros_like(hard).index_fill(0, torch.topk(losses, least).indices, True)
    return hard


def boundary_weights(labels: Tensor, extra: float, width: int) -> Tensor:
    """Weights of pixels for a boundary-weighted cross entropy.

        u_x = 1 + extra · [a pixel of another class lies within `width` rows and columns of x]

    Ignored pixels are of no class, and nothing lies beyond the border of an image: neither makes a
    boundary.

    Args:
        labels: (N, H, W) int64, 0..K-1 or 255 (ignored).
        extra: What a pixel near a boundary weighs more than another one.
        width: How near it is, in pixels of the square window's half side.

    Returns:
        (N, H, W) float32; 1 on ignored pixels.

    Example:
        >>> boundary_weights(torch.tensor([[[0, 0, 0, 1, 255, 2]]]), 2.0, 1)
        tensor([[[1., 1., 3., 3., 1., 1.]]])
    """
    ids, valid = labels.float(), labels != IGNORE
    extremes = torch.stack([ids.where(valid, -torch.inf), (-ids).where(valid, -torch.inf)], dim=1)
    for kernel in ((1, 2 * width + 1), (2 * width + 1, 1)):
        around = (kernel[0] // 2, kernel[1] // 2)
        extremes = F.max_pool2d(extremes, kernel, stride=1, padding=around)  # pads with -inf
    highest, lowest = extremes[:, 0], -extremes[:, 1]
    return 1 + extra * (valid & (highest != lowest)).float()


def _valid(
    logits: Tensor, labels: Tensor, weight: Tensor | None, pixels: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Losses and weights of the valid pixels, both (valid,), in float32."""
    valid = labels != IGNORE
    losses = F.cross_entropy(logits.float(), labels, ignore_index=IGNORE, reduction="none")[valid]
    weights = torch.ones_like(losses) if weight is None else weight[labels[valid]]
    return losses, weights if pixels is None else weights * pixels[valid]


def _mean(losses: Tensor, weights: Tensor) -> Tensor:
    """The weighted mean; zero, with gradients, if there are no losses or all weights are zero."""
    return (weights * losses).sum() / weights.sum().clamp(min=torch.finfo(weights.dtype).tiny)


def class_prototypes(
    features: Tensor, labels: Tensor, num_classes: int, *, stride: int = SEMANTIC_STRIDE
) -> tuple[Tensor, Tensor]:
    """Mean feature of every class over a batch (mask average pooling, SARTM III-F).

        p_k = Σ_x [y_x = k] F(x) / Σ_x [y_x = k]

    where y_x is the label at the cell x of F; see `labels_at_stride`. Computed in float32.

    Args:
        features: F, (N, D, h, w).
        labels: (N, H, W) int64, 0..K-1 or 255 (ignored).
        num_classes: Number of classes K.
        stride: Stride of F in pixels.

    Returns:
        p, (K, D), zero for a class without pixels, and the number of cells of each class, (K,).

    Raises:
        ValueError: The sizes of labels and F do not fit.
    """
    ids = labels_at_stride(labels, features.shape[-2:], stride).flatten()
    valid = ids != IGNORE
    with torch.autocast(features.device.type, enabled=False):
        vectors = features.float().movedim(1, -1).flatten(0, 2)[valid]
        members = F.one_hot(ids[valid], num_classes).to(vectors.dtype)
        counts = members.sum(0)
        return members.T @ vectors / counts.clamp(min=1)[:, None], counts


def labels_at_stride(labels: Tensor, size: Sequence[int], stride: int) -> Tensor:
    """The label in the middle of each cell of a feature map, 255 for a cell outside the image.

    Cell (i, j) covers the rows stride · i .. stride · (i + 1) - 1 and takes the label of the row
    stride · i + stride // 2, and likewise for the columns j. A map may extend beyond the bottom and
    the right of the labels, because the network has padded the image, or end before them.

    Args:
        labels: (N, H, W) int64.
        size: Height h and width w of the map.
        stride: Stride of the map in pixels.

    Returns:
        (N, h, w) int64.

    Raises:
        ValueError: The map does not fit an image of this size.
    """
    below, right = (
        stride * cells - pixels for cells, pixels in zip(size, labels.shape[-2:], strict=True)
    )
    if max(abs(below), abs(right)) >= 2 * stride:
        raise ValueError(
            f"labels of {tuple(labels.shape[-2:])} pixels do not fit a map of {tuple(size)} cells "
            f"at stride {stride}"
        )
    padded = F.pad(labels, (0, right, 0, below), value=IGNORE)
    return padded[:, stride // 2 :: stride, stride // 2 :: stride]


def language_distillation(visual: Tensor, text: Tensor, *, tau: float = 1.0) -> Tensor:
    """Make the similarity of classes equal to that of their names (SARTM eqs 12 to 14).

    With S^t_ij = cos(t_i, t_j) and S^v_ij = cos(p_i, p_j), and T and V the softmax of each row of
    S^t / τ and S^v / τ,

        L = 1/K'² Σ_ij T_ij (ln T_ij - ln V_ij)

    Gradients flow only into the visual vectors. With fewer than two classes the loss is zero, with
    gradients.

    Args:
        visual: p, (K', D), a vector of every class that is present and has a text vector.
        text: t, (K', d), in the same order.
        tau: Temperature τ. CLIP's cosines of street classes lie within 0.77..0.93, so at 1 every
            row is nearly uniform.
    """
    if len(visual) < 2:
        return visual.float().sum() * 0
    with torch.autocast(visual.device.type, enabled=False):
        target = F.log_softmax(similarity(text.detach()) / tau, dim=1)
        found = F.log_softmax(similarity(visual) / tau, dim=1)
        return F.kl_div(found, target, reduction="sum", log_target=True) / found.numel()


def similarity(vectors: Tensor, known: Tensor | None = None) -> Tensor:
    """Cosine of every pair of (K, D) vectors, (K, K) float32; NaN for classes not `known`, (K,)."""
    unit = F.normalize(vectors.float(), dim=1)
    cosines = unit @ unit.T
    return cosines if known is None else torch.where(known[:, None] & known, cosines, torch.nan)


def prototype_distillation(visual: Tensor, memory: Tensor) -> Tensor:
    """Keep the class vectors of a batch close to their running means (SARTM's middle term).

        L = 1/(K' D) Σ_k KL(softmax(g_k) || softmax(p_k))

    Args:
        visual: p, (K', D), of the classes present.
        memory: g, (K', D), their running means, which receive no gradient.
    """
    if len(visual) == 0:
        return visual.float().sum() * 0
    with torch.autocast(visual.device.type, enabled=False):
        target = F.log_softmax(memory.detach().float(), dim=1)
        found = F.log_softmax(visual.float(), dim=1)
        return F.kl_div(found, target, reduction="sum", log_target=True) / found.numel()


def teacher_distillation(
    student: Tensor,
    teacher: Tensor,
    weight: Tensor | None = None,
    inside: Tensor | None = None,
) -> Tensor:
    """Match another prediction's probabilities t (arXiv 1503.02531 at temperature 1).

    With k(x) the teacher's class of a pixel and class weights w, over the pixels x inside,

        L = Σ_x w(k(x)) KL(t_x || s_x) / Σ_x w(k(x))

    The loss is zero, with gradients, if there are no pixels or all weights are zero.

    Args:
        student: Logits (N, K, H, W).
        teacher: Logits of the same shape; they receive no gradient.
        weight: (K,) class weights; None gives all classes the same weight.
        inside: (N, H, W) bool, the pixels that count; None for all.
    """
    if inside is not None:
        student, teacher = (x.movedim(1, -1)[inside] for x in (student, teacher))
    with torch.autocast(student.device.type, enabled=False):
        target = F.log_softmax(teacher.detach().float(), dim=1)
        found = F.log_softmax(student.float(), dim=1)
        losses = F.kl_div(found, target, reduction="none", log_target=True).sum(1)
    return _mean(losses, torch.ones_like(losses) if weight is None else weight[target.argmax(1)])


def dice_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """1 - (2 Σ p y + 1) / (Σ p + Σ y + 1) of every mask, with p the sigmoid of the logits.

    Args:
        logits: (..., H, W).
        targets: (..., H, W), 1 inside and 0 outside.

    Returns:
        (...), one value per mask.
    """
    inside = logits.sigmoid()
    overlap = (inside * targets).sum(dim=(-2, -1))
    return 1 - (2 * overlap + 1) / (inside.sum(dim=(-2, -1)) + targets.sum(dim=(-2, -1)) + 1)
