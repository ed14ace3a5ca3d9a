"""The feature maps that encoders produce and heads read."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Pyramid(NamedTuple):
    """Feature maps of images or of fused pairs, from fine to semantic.

    `fine` is (N, D/8, H/4, W/4), `intermediate` (N, D/4, H/8, W/8), `semantic` (N, D, H/16, W/16):
    the paper's FFP, IFP and SFM. D is the width of SAM2's feature pyramid, 256 in its checkpoints.
    A student's maps have the widths of its encoder's stages.
    """

    fine: Tensor
    intermediate: Tensor
    semantic: Tensor
