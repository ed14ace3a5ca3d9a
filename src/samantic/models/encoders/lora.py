"""Low-rank adaptation of queries and values (SARTM eqs 6 and 7; LoRA: arXiv 2106.09685).

SAM2 computes queries, keys and values of an attention block by one Linear layer. Its output rows

         x ──► W (frozen) ──► [ q | k | v ]            q' = q + α/r · B_q A_q x
         ├──► A_q ──► B_q ──────┘       │              k' = k
         └──► A_v ──► B_v ──────────────┘              v' = v + α/r · B_v A_v x

are corrected for q and v by two products of rank r. A starts random and B zero, so at the start
the adapted block is SAM2's, bit for bit.
"""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn
from transformers.models.sam2.modeling_sam2 import Sam2MultiScaleAttention


class QVLoRA(nn.Module):
    """A fused qkv projection with low-rank updates of its q and v rows.

    Args:
        qkv: Linear from d to 3 d_out features. At the transitions between Hiera's stages d_out is
            2 d, so the width of the updates is `qkv.out_features // 3`, not d.
        rank: Rank r of both updates.
        alpha: Updates are scaled by alpha / r; None means alpha = r.

    Shape: (..., d) to (..., 3 d_out).

    Example:
        >>> QVLoRA(nn.Linear(96, 3 * 192), rank=16)(torch.zeros(1, 8, 8, 96)).shape
        torch.Size([1, 8, 8, 576])
    """

    def __init__(self, qkv: nn.Linear, rank: int, alpha: float | None = None) -> None:
        super().__init__()
        self.qkv = qkv
        self.merged: nn.Linear | None = None
        self.scale = (rank if alpha is None else alpha) / rank
        inside, outside = qkv.in_features, qkv.out_features // 3
        self.a_q = nn.Parameter(torch.empty(rank, inside))
        self.a_v = nn.Parameter(torch.empty(rank, inside))
        self.b_q = nn.Parameter(torch.zeros(outside, rank))
        self.b_v = nn.Parameter(torch.zeros(outside, rank))
        nn.init.kaiming_uniform_(self.a_q, a=math.sqrt(5))
        nn.init.kaiming_uniform_(self.a_v, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        if self.merged is not None:
            merged: Tensor = self.merged(x)
            return merged
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        q = q + self.scale * (x @ self.a_q.T @ self.b_q.T)
        v = v + self.scale * (x @ self.a_v.T @ self.b_v.T)
        return torch.cat([q, k, v], dim=-1)

    @torch.no_grad()
    def merge(self) -> None:
        """Fold the updates into a copy of the weights, so that inference pays nothing for them."""
        self.merged = copy.deepcopy(self.qkv).requires_grad_(False)
        q, _, v = self.merged.weight.chunk(3, dim=0)
        q += self.scale * self.b_q @ self.a_q
        v += self.scale * self.b_v @ self.a_v

    def unmerge(self) -> None:
        """Return to the frozen weights and the separate updates, exactly."""
        self.merged = None


def add_lora(encoder: nn.Module, rank: int, alpha: float | None = None) -> None:
    """Replace every fused `qkv` Linear inside `encoder` by a `QVLoRA`, in place."""
    for block in list(encoder.modules()):
        if isinstance(block, Sam2MultiScaleAttention):
            block.qkv = QVLoRA(block.qkv, rank, alpha)  # type: ignore[assignment]
