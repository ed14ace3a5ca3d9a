"""Low-rank adaptation of queries and values (SARTM eqs 6 and 7; LoRA: arXiv 2106.09685).

SAM2 computes queries, keys and values of an attention block by one Linear layer. Its output rows

         x ──► W (frozen) ──► [ q | k | v ]            q' = q + α/r · B_q A_q x
         ├──► A_q ──► B_q ──────┘       │              k' = k
         └──► A_v ──► B_v ──────────────┘              v' = v + α/r · B_v A_v x

for q and v are corrected by two products of rank r. If an encoder has separate Linear layers for q,
k and v, only those of q and v are corrected. A starts random and B zero, so at the start the
adapted block equals the base's block bit for bit.
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from samantic.errors import InputError
from samantic.models.encoders.encoder import Encoder


class Adapter(nn.Module, ABC):
    """A frozen Linear layer with updates that can be folded into a copy of it.

    Args:
        rank: Rank r of the updates.
        alpha: The updates are scaled by alpha / r; None means alpha = r.
    """

    def __init__(self, rank: int, alpha: float | None) -> None:
        super().__init__()
        self.merged: nn.Linear | None = None
        self.scale = (rank if alpha is None else alpha) / rank

    @abstractmethod
    def merge(self) -> None:
        """Fold the updates into a copy of the weights, so that they cost nothing at inference."""

    @abstractmethod
    def kernels(self) -> tuple[Tensor, ...]:
        """The trained matrices, to which weight decay applies."""

    def unmerge(self) -> None:
        """Restore the frozen weights and the separate updates exactly."""
        self.merged = None


class QVLoRA(Adapter):
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
        super().__init__(rank, alpha)
        self.qkv = qkv
        inside, outside = qkv.in_features, qkv.out_features // 3
        self.a_q, self.a_v = _down(rank, inside), _down(rank, inside)
        self.b_q = nn.Parameter(torch.zeros(outside, rank))
        self.b_v = nn.Parameter(torch.zeros(outside, rank))

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
        self.merged = copy.deepcopy(self.qkv).requires_grad_(False)
        q, _, v = self.merged.weight.chunk(3, dim=0)
        q += self.scale * self.b_q @ self.a_q
        v += self.scale * self.b_v @ self.a_v

    def kernels(self) -> tuple[Tensor, ...]:
        return self.a_q, self.a_v, self.b_q, self.b_v


class LinearLoRA(Adapter):
    """A projection with a low-rank update: W x + b + α/r · B A x.

    Args:
        linear: Linear from d to d_out features.
        rank: Rank r of the update.
        alpha: The update is scaled by alpha / r; None means alpha = r.

    Shape: (..., d) to (..., d_out).

    Example:
        >>> LinearLoRA(nn.Linear(96, 192), rank=16)(torch.zeros(1, 8, 8, 96)).shape
        torch.Size([1, 8, 8, 192])
    """

    def __init__(self, linear: nn.Linear, rank: int, alpha: float | None = None) -> None:
        super().__init__(rank, alpha)
        self.linear = linear
        self.a = _down(rank, linear.in_features)
        self.b = nn.Parameter(torch.zeros(linear.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        layer = self.linear if self.merged is None else self.merged
        y: Tensor = layer(x)
        return y if self.merged is not None else y + self.scale * (x @ self.a.T @ self.b.T)

    @torch.no_grad()
    def merge(self) -> None:
        self.merged = copy.deepcopy(self.linear).requires_grad_(False)
        self.merged.weight += self.scale * self.b @ self.a

    def kernels(self) -> tuple[Tensor, ...]:
        return self.a, self.b


def add_lora(encoder: Encoder, rank: int, alpha: float | None = None) -> None:
    """Replace each projection of `Encoder.lora_targets` by an adapted one, in place.

    Raises:
        InputError: The encoder has no such projections.
    """
    targets = encoder.lora_targets()
    if not targets:
        raise InputError(
            "adapt.method lora: the encoder of this base has no projections to queries and values "
            "to adapt; set adapt.method full, or take another model.base"
        )
    for block, name in targets:
        kind = QVLoRA if name == "qkv" else LinearLoRA
        setattr(block, name, kind(getattr(block, name), rank, alpha))


def _down(rank: int, inside: int) -> nn.Parameter:
    """The matrix A of an update, (r, d), initialised like a Linear layer of PyTorch."""
    matrix = nn.Parameter(torch.empty(rank, inside))
    nn.init.kaiming_uniform_(matrix, a=math.sqrt(5))
    return matrix
