"""Multi-level knowledge adaptation: the boundary loss of the student.

The MKA module of GoodSAM (arXiv 2403.16370). Its losses on the whole panorama and on its windows
are `samantic.losses.cross_entropy` with labels from `rectification`. The loss below adds the
boundaries. The paper's abstract names the levels; the formulas are reconstructed.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def boundary_loss(
    logits: Tensor, boundary: Tensor, wrap: bool = False, inside: Tensor | None = None
) -> Tensor:
    """Class-balanced binary cross entropy of the boundaries (L_boundary [reconstructed]).

    With P the softmax of the logits, a pixel differs in class from one of its four neighbours with
    the probability

        b(x) = 1 - min_{x' in N4(x)} Σ_k P_k(x) P_k(x')

    Boundary pixels B and other pixels have the same total weight, whatever their number:

        L = -1/2 (1/|B| Σ_{x in B} ln b(x) + 1/|B^c| Σ_{x not in B} ln(1 - b(x)))

    A sum over no pixels is zero. Both logarithms are computed in log space. No probability is
    rounded to 0 or 1, so a wrong prediction has a gradient even at high confidence.

    Args:
        logits: The student's, (N, K, H, W), of two classes or more.
        boundary: B, (N, H, W) bool, from `rectification.refined_boundary`.
        wrap: Whether the first column is a neighbour of the last one, as in a panorama.
        inside: (N, H, W) bool, the pixels that lie in the images; other pixels are ignored, also as
            neighbours. None for all.
    """
    if inside is not None:
        boundary = boundary & inside
    known = F.log_softmax(logits, 1, dtype=torch.promote_types(logits.dtype, torch.float32))
    drawn, plain = log_boundary(known, boundary, wrap, inside), log_interior(known, wrap, inside)
    edges = drawn.sum() / max(len(drawn), 1)
    others = ~boundary if inside is None else inside & ~boundary
    rest = plain.where(others, 0).sum() / others.sum().clamp(min=1)
    return -(edges + rest) / 2


def log_boundary(
    known: Tensor, boundary: Tensor, wrap: bool = False, inside: Tensor | None = None
) -> Tensor:
    """Logarithms ln b(x) = max_{x' in N4(x)} ln Σ_k P_k(x) (1 - P_k(x')), of some pixels.

    Args:
        known: ln P, (N, K, H, W).
        boundary: (N, H, W) bool, the pixels; usually few.
        wrap: Whether the first column is a neighbour of the last one.
        inside: (N, H, W) bool, the pixels that count as neighbours; None for all.

    Returns:
        (M,), of the M pixels in the order of `nonzero`.
    """
    image, row, column = boundary.nonzero(as_tuple=True)
    rows = _around(row, known.shape[2], wrap=False)
    columns = _around(column, known.shape[3], wrap)
    pixels = known.movedim(1, -1)
    here = pixels[image, row, column]
    found = []
    for v, u in [*((v, column) for v in rows), *((row, u) for u in columns)]:
        differ = (here + _log_others(pixels[image, v, u])).logsumexp(1)
        found.append(differ if inside is None else differ.where(inside[image, v, u], -torch.inf))
    return torch.stack(found).amax(0)


def _around(at: Tensor, size: int, wrap: bool) -> tuple[Tensor, Tensor]:
    """Both neighbours along an axis; at an end, the only neighbour takes both places."""
    before, after = at - 1, at + 1
    if wrap:
        return before % size, after % size
    return before.abs(), after.where(after < size, size - 2)


def _log_others(known: Tensor) -> Tensor:
    """Logarithms ln (1 - P) from ln P (M, K); for the most probable class from the others."""
    likeliest = known.argmax(1, keepdim=True)
    others = known.scatter(1, likeliest, -torch.inf)
    return (-others.exp()).log1p().scatter(1, likeliest, others.logsumexp(1, keepdim=True))


def log_interior(known: Tensor, wrap: bool = False, inside: Tensor | None = None) -> Tensor:
    """Logarithms ln (1 - b(x)) = min_{x' in N4(x)} ln Σ_k P_k(x) P_k(x').

    Args:
        known: ln P, (N, K, H, W).
        wrap: Whether the first column is a neighbour of the last one.
        inside: (N, H, W) bool, the pixels that count as neighbours; None for all.

    Returns:
        (N, H, W); infinite where a pixel has no neighbour.
    """
    right = (known + known.roll(-1, 3)).logsumexp(1)
    below = (known[:, :, :-1] + known[:, :, 1:]).logsumexp(1)
    if inside is not None:
        right = right.where(inside & inside.roll(-1, 2), torch.inf)
        below = below.where(inside[:, :-1] & inside[:, 1:], torch.inf)
    below = F.pad(below, (0, 0, 1, 1), value=torch.inf)  # no neighbours beyond top and bottom
    if not wrap:
        right = F.pad(right[:, :, :-1], (0, 1), value=torch.inf)
    return torch.stack([right, right.roll(1, 2), below[:, :-1], below[:, 1:]]).amin(0)
