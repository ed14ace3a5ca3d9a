"""Multi-level knowledge adaptation: what a student learns about boundaries.

The MKA module of GoodSAM (arXiv 2403.16370). Its losses on the whole panorama and on its windows
are `samantic.losses.cross_entropy` with labels from `rectification`; the one below adds the
boundaries. The paper's abstract names the levels; the formulas are reconstructed.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

TINY = 1e-6
"""Least probability of a boundary, and of none, whose logarithm is taken."""


def boundary_map(probabilities: Tensor, wrap: bool = False) -> Tensor:
    """Probability that a pixel and one of its neighbours are of different classes [reconstructed].

        b(x) = 1 - min_{x' in N4(x)} Σ_k P_k(x) P_k(x')

    Args:
        probabilities: P, (N, K, H, W), which sum to one over the classes.
        wrap: Whether the first column is a neighbour of the last one, as in a panorama.

    Returns:
        (N, H, W) in 0..1.
    """
    p = probabilities.to(torch.promote_types(probabilities.dtype, torch.float32))
    right = (p * p.roll(-1, 3)).sum(1)
    below = (p * p.roll(-1, 2)).sum(1)
    below = F.pad(below[:, :-1], (0, 0, 0, 1), value=1.0)  # nothing lies below the last row
    if not wrap:
        right = F.pad(right[:, :, :-1], (0, 1), value=1.0)
    return 1 - torch.stack([right, right.roll(1, 2), below, below.roll(1, 1)]).amin(0)


def boundary_loss(probabilities: Tensor, boundary: Tensor, wrap: bool = False) -> Tensor:
    """Class-balanced binary cross entropy of the boundary map (L_boundary [reconstructed]).

    Boundary pixels B and the others count the same, however few they are:

        L = -1/2 (1/|B| Σ_{x in B} ln b(x) + 1/|B^c| Σ_{x not in B} ln(1 - b(x)))

    A sum over no pixels is zero.

    Args:
        probabilities: The student's softmax P, (N, K, H, W).
        boundary: B, (N, H, W) bool, from `rectification.refined_boundary`.
        wrap: Whether the first column is a neighbour of the last one.
    """
    found = boundary_map(probabilities, wrap).clamp(TINY, 1 - TINY)
    on, off = boundary.float(), (~boundary).float()
    edges = (on * found.log()).sum() / on.sum().clamp(min=1)
    rest = (off * (1 - found).log()).sum() / off.sum().clamp(min=1)
    return -(edges + rest) / 2
