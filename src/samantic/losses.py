"""Loss terms, each a pure function of tensors (SARTM III-D and III-F)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from samantic.config import IGNORE


def cross_entropy(logits: Tensor, labels: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean cross entropy over the valid pixels; zero, with gradients, where there are none.

    With class weights w, L = Σ_x w(y_x) l_x / Σ_x w(y_x).

    Args:
        logits: (N, K, H, W).
        labels: (N, H, W) int64, 0..K-1 or 255 (ignored).
        weight: (K,) class weights; None weighs all alike.
    """
    losses, weights = _valid(logits, labels, weight)
    return _mean(losses, weights, logits)


def ohem_cross_entropy(
    logits: Tensor,
    labels: Tensor,
    weight: Tensor | None = None,
    *,
    probability: float = 0.7,
    fraction: float = 1 / 16,
) -> Tensor:
    """Cross entropy over hard pixels (SARTM eq 11; online hard example mining).

    With the loss l_x = -ln p_x(y_x) of every valid pixel x, the pixels with p_x < `probability`
    are kept, but at least the n hardest, n = max(1, floor(fraction · valid pixels)):

        L = 1/|S| Σ_{x in S} l_x

    (with class weights, the weighted mean as in `cross_entropy`; they do not choose the pixels).
    The count of valid pixels is taken over the batch on this device. Without valid pixels the
    loss is zero and has gradients.

    Args:
        logits: (N, K, H, W).
        labels: (N, H, W) int64, 0..K-1 or 255 (ignored).
        weight: (K,) class weights; None weighs all alike.
        probability: Pixels whose true class is less probable than this are hard.
        fraction: Least share of the valid pixels that is kept.

    Example:
        >>> labels = torch.zeros(1, 4, 4, dtype=torch.long)
        >>> ohem_cross_entropy(torch.zeros(1, 2, 4, 4), labels)
        tensor(0.6931)
    """
    losses, weights = _valid(logits, labels, weight)
    hard = losses > -math.log(probability)
    least = max(1, int(losses.numel() * fraction))
    if int(hard.sum()) < least <= losses.numel():
        hard = torch.topk(losses, least).indices
    return _mean(losses[hard], weights[hard], logits)


def _valid(logits: Tensor, labels: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
    """Losses and weights of the valid pixels, both (valid,), in float32."""
    valid = labels != IGNORE
    losses = F.cross_entropy(logits.float(), labels, ignore_index=IGNORE, reduction="none")[valid]
    weights = torch.ones_like(losses) if weight is None else weight[labels[valid]]
    return losses, weights


def _mean(losses: Tensor, weights: Tensor, logits: Tensor) -> Tensor:
    if losses.numel() == 0:
        return logits.float().sum() * 0
    return (weights * losses).sum() / weights.sum()
