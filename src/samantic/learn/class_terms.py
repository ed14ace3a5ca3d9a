"""Distillation terms of the training, besides the label losses, and their state (SARTM III-F)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from samantic.config.train import LossConfig
from samantic.losses import (
    SEMANTIC_STRIDE,
    class_prototypes,
    language_distillation,
    prototype_distillation,
    similarity,
    teacher_distillation,
)
from samantic.models import Output
from samantic.models.network import MODALITIES
from samantic.models.text import TextVectors


class ClassTerms(nn.Module):
    """Weighted distillation terms of a batch, by name; terms of weight zero are not computed.

    Args:
        config: The weights.
        num_classes: Number of classes K.
        width: Width D of the semantic map.
        text: Vectors of the class names; None without language.
        stride: Stride of the semantic map in pixels.
    """

    text: Tensor
    known: Tensor

    def __init__(
        self,
        config: LossConfig,
        num_classes: int,
        width: int,
        text: TextVectors | None,
        stride: int = SEMANTIC_STRIDE,
    ) -> None:
        super().__init__()
        self.config, self.stride = config, stride
        self.memory = PrototypeMemory(num_classes, width) if config.prototype else None
        if text is not None:
            self.register_buffer("text", text.vectors, persistent=False)
            self.register_buffer("known", text.known, persistent=False)

    def forward(
        self, out: Output, labels: Tensor, present: Tensor, inside: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Compute the terms.

        Args:
            out: The network's output, with `single_modality` if `config.cross_modal` is set.
            labels: (N, H, W) int64, 255 ignored.
            present: (N, 2) bool, which of RGB and thermal the network saw.
            inside: (N, H, W) bool, the pixels that come from the images and not from padding; None
                for all.
        """
        config, terms = self.config, {}
        if config.language or config.prototype:
            semantic = out.features.semantic
            vectors, counts = class_prototypes(
                semantic, labels, out.logits.shape[1], stride=self.stride
            )
            here = counts > 0
            if config.language:
                both = here & self.known
                loss = language_distillation(vectors[both], self.text[both], tau=config.tau)
                terms["language"] = config.language * loss
            if self.memory is not None:
                means = self.memory(vectors, here)
                terms["prototype"] = config.prototype * prototype_distillation(
                    vectors[here], means[here]
                )
        if out.single_modality:
            terms["cross_modal"] = config.cross_modal * self._cross_modal(
                out, present[:, : len(MODALITIES)].all(1), inside
            )
        return terms

    def _cross_modal(self, out: Output, both: Tensor, inside: Tensor | None) -> Tensor:
        """Distillation from the fused prediction to that of each modality (after arXiv 2411.17141).

        The mean over the modalities, summed over the heads, for the pairs that have both images.
        """
        losses, shown = [], None if inside is None else inside[both]
        for logits, auxiliary in out.single_modality:
            losses.append(teacher_distillation(logits[both], out.logits[both], inside=shown))
            if auxiliary is not None and out.auxiliary is not None:
                losses.append(
                    teacher_distillation(auxiliary[both], out.auxiliary[both], inside=shown)
                )
        return torch.stack(losses).sum() / len(out.single_modality)


class PrototypeMemory(nn.Module):
    """Running mean of every class's vector; only classes that are present are updated.

    Shape: p (K, D) and which classes are present (K,) bool, to the updated means g (K, D).
    """

    vectors: Tensor
    seen: Tensor

    def __init__(self, num_classes: int, width: int, momentum: float = 0.9) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("vectors", torch.zeros(num_classes, width))
        self.register_buffer("seen", torch.zeros(num_classes, dtype=torch.bool))

    @torch.no_grad()
    def forward(self, vectors: Tensor, present: Tensor) -> Tensor:
        vectors, present = _over_devices(vectors, present)
        keep = torch.where(self.seen, self.momentum, 0.0)[:, None]
        updated = keep * self.vectors + (1 - keep) * vectors
        self.vectors = torch.where(present[:, None], updated, self.vectors)
        self.seen = self.seen | present
        return self.vectors


class ClassVectors(Metric):
    """Mean semantic feature of every class over a whole split.

    Args:
        num_classes: Number of classes K.
        width: Width D of the semantic map.
    """

    full_state_update = False
    sums: Tensor
    counts: Tensor

    def __init__(self, num_classes: int, width: int) -> None:
        super().__init__()
        self.add_state("sums", torch.zeros(num_classes, width), dist_reduce_fx="sum")
        self.add_state("counts", torch.zeros(num_classes), dist_reduce_fx="sum")

    def update(self, semantic: Tensor, labels: Tensor) -> None:
        """Add a batch: features (N, D, h, w) and labels (N, H, W)."""
        means, counts = class_prototypes(semantic, labels, len(self.counts))
        self.sums += means * counts[:, None]
        self.counts += counts

    def compute(self) -> tuple[Tensor, Tensor]:
        """The vectors (K, D), and which classes occurred (K,)."""
        return self.sums / self.counts.clamp(min=1)[:, None], self.counts > 0

    def similarity(self) -> Tensor:
        """(K, K) cosines on the CPU; NaN where a class did not occur."""
        vectors, known = self.compute()
        return similarity(vectors, known).cpu()


def _over_devices(vectors: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """Mean of the class vectors over the devices on which the class is present."""
    if not torch.distributed.is_initialized():
        return vectors.detach(), present
    total, devices = vectors.detach() * present[:, None], present.float()
    torch.distributed.all_reduce(total)
    torch.distributed.all_reduce(devices)
    return total / devices.clamp(min=1)[:, None], devices > 0
