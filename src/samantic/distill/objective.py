"""The loss terms of a distillation: the student's (MKA) and, if it is trained too, the teacher's.

After GoodSAM (arXiv 2403.16370); docs/distil.md says which parts are the paper's and which are
reconstructed.
"""

from __future__ import annotations

import torch
from torch import Tensor

from samantic.config.classes import IGNORE
from samantic.config.distill import ObjectiveConfig
from samantic.distill.adaptation import boundary_loss
from samantic.distill.rectification import overlap_consistency
from samantic.distill.targets import Targets
from samantic.distill.windows import Cut, cut_windows
from samantic.losses import cross_entropy, teacher_distillation


def student_terms(
    logits: Tensor, targets: Targets, cut: Cut, options: ObjectiveConfig
) -> dict[str, Tensor]:
    """Weighted terms of the student, by name; terms of weight zero are not computed.

        L_S = L_whole + a L_window + c L_boundary
        L_window = CE(P_i, E_i) + CE(P_i, E_i^H)

    L_whole is the cross entropy with the teacher's class ids, or, with soft targets, the mean over
    pixels of KL(teacher || student). Cross entropies are means over the pixels of all windows,
    weighed by class (see `class_weights`).

    Args:
        logits: The student's for the whole images, (N, K, H, W).
        targets: Targets of N images.
        cut: The windows P_i.
        options: The weights.
    """
    terms = {}
    weights = class_weights(targets, logits.shape[1], options.class_balance)
    if options.whole:
        terms["whole"] = options.whole * _whole(logits, targets, weights, options)
    if options.window:
        parts = cut_windows(logits, cut).transpose(0, 1).flatten(0, 1)
        wanted = [part.flatten(0, 1).long() for part in (targets.ensemble, targets.confident)]
        losses = [cross_entropy(parts, labels, weights) for labels in wanted]
        terms["window"] = options.window * torch.stack(losses).sum()
    if options.boundary and logits.shape[1] > 1:  # a single class has no boundaries
        inside = targets.teacher != IGNORE
        loss = boundary_loss(logits, targets.boundary.bool(), cut.wrap, inside)
        terms["boundary"] = options.boundary * loss
    return terms


def class_weights(targets: Targets, classes: int, balance: float) -> Tensor:
    """Weigh every class by its share of teacher's and ensemble's pixels to the power of -`balance`.

    Args:
        targets: Targets of the images of a batch.
        classes: Number of classes K.
        balance: 0 weighs all alike, 1 balances them fully.

    Returns:
        (K,) float32; 0 for a class that does not occur.
    """
    labels = torch.cat([targets.teacher.flatten(), targets.ensemble.flatten()]).long()
    counts = torch.bincount(labels, minlength=classes)[:classes].float()
    share = counts / counts.sum().clamp(min=1)
    return torch.where(counts > 0, share.clamp(min=1e-9) ** -balance, 0.0)


def _whole(logits: Tensor, targets: Targets, weights: Tensor, options: ObjectiveConfig) -> Tensor:
    if options.targets == "hard":
        return cross_entropy(logits, targets.teacher.long(), weights)
    if targets.probabilities is None:
        raise ValueError("soft targets need the teacher's probabilities")
    known = targets.probabilities.float().clamp(min=1e-8).log()
    balanced = weights if options.class_balance else None
    return teacher_distillation(logits, known, balanced, targets.teacher != IGNORE)


def teacher_terms(
    logits: Tensor, targets: Targets, cut: Cut, options: ObjectiveConfig
) -> dict[str, Tensor]:
    """Weighted terms of a teacher that is trained too, by name.

        L_TA = CE(S_i, E_i) + CE(S_i, E_i^H) + L_CC

    Args:
        logits: The teacher's for the windows, S, (n, N, K, h, w).
        targets: Targets of N images, made from these logits.
        cut: The windows.
        options: The weight of L_CC.
    """
    parts = logits.transpose(0, 1).flatten(0, 1)
    wanted = [part.flatten(0, 1).long() for part in (targets.ensemble, targets.confident)]
    weights = class_weights(targets, logits.shape[2], options.class_balance)
    losses = [cross_entropy(parts, labels, weights) for labels in wanted]
    terms = {"teacher": torch.stack(losses).sum()}
    if options.consistency:
        terms["consistency"] = options.consistency * overlap_consistency(logits, cut)
    return terms
