"""How similar two rankings of class similarities are."""

from __future__ import annotations

import torch
from torch import Tensor


def rank_correlation(first: Tensor, second: Tensor) -> float:
    """Spearman's rank correlation of two (K, K) similarity matrices over the pairs of classes.

    Pairs with NaN in either are left out; the result is NaN if fewer than three remain.
    """
    rows, columns = torch.triu_indices(len(first), len(first), 1)
    pairs = torch.stack([first[rows, columns].cpu(), second[rows, columns].cpu()])
    pairs = pairs[:, ~pairs.isnan().any(0)]
    if pairs.shape[1] <= 2:
        return float("nan")
    from torchmetrics.functional import spearman_corrcoef

    return float(spearman_corrcoef(*pairs))
