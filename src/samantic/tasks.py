"""The training task: steps, losses and the optimiser. Everything else lives elsewhere."""

from __future__ import annotations

from typing import Any

import lightning as L  # the name its documentation uses
import torch
from torch import Tensor, nn
from torchmetrics.classification import MulticlassConfusionMatrix

from samantic.config import IGNORE, Config, Head, TrainConfig
from samantic.data.augment import Photometric
from samantic.data.loading import Batch
from samantic.distillation import ClassVectors, Distillation
from samantic.losses import cross_entropy, ohem_cross_entropy, similarity
from samantic.metrics import rank_correlation, scores
from samantic.models import Network
from samantic.models.text import TextVectors


class SegmentationTask(L.LightningModule):
    """Train a network on labelled pairs.

    Logs every loss term of a step, and after each validation the mIoU of each head as
    `val/miou_mask`, `val/miou_auxiliary` and `val/miou_mean`; `val/miou` is that of the head which
    answers at inference. With class-name vectors, `val/alignment` is the rank correlation of the
    similarities of classes in the text and in the validation images, and `similarity` holds the
    latter.

    Args:
        network: The network.
        config: The run.
        class_weights: (K,) weights of the classes in the loss; None weighs all alike.
        text: Vectors of the class names; None without language.
    """

    class_weights: Tensor | None

    def __init__(
        self,
        network: Network,
        config: Config,
        class_weights: Tensor | None = None,
        text: TextVectors | None = None,
    ) -> None:
        super().__init__()
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.network = network
        self.config = config
        self.photometric = Photometric(config.augment)
        self.cross_entropy = {"ohem": ohem_cross_entropy, "plain": cross_entropy}[
            config.loss.cross_entropy
        ]
        classes, width = network.num_classes, network.width
        self.distillation = Distillation(config.loss, classes, width, text)
        self.text = text
        self.class_vectors = ClassVectors(classes, width) if text is not None else None
        wanted = config.model.prediction
        self.answer: Head = wanted if wanted in network.heads else "mask"
        self.matrices = nn.ModuleDict(
            {
                head: MulticlassConfusionMatrix(network.num_classes, ignore_index=IGNORE)
                for head in network.heads
            }
        )

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """L = L_mask + λ1 L_auxiliary + λ2 L_prototype + λ3 L_language (SARTM eq 15)."""
        batch = self.photometric(batch)
        # modality dropout is for networks that have another modality to turn to
        present = batch.present if len(self.network.modalities) > 1 else None
        alone = self.config.loss.cross_modal > 0
        out = self.network(batch.rgb, batch.thermal, present, alone=alone)
        terms = {"mask": self.cross_entropy(out.logits, batch.labels, self.class_weights)}
        if out.auxiliary is not None:
            weight = self.config.loss.auxiliary
            terms["auxiliary"] = weight * self.cross_entropy(
                out.auxiliary, batch.labels, self.class_weights
            )
        terms |= self.distillation(out, batch.labels, batch.present)
        total = torch.stack(list(terms.values())).sum()
        self.log_dict({f"train/{name}": term.detach() for name, term in terms.items()})
        self.log("train/loss", total.detach())
        return total

    def validation_step(self, batch: Batch, index: int) -> None:
        """Count the pixels of every head's prediction."""
        out = self.network(batch.rgb, batch.thermal)
        for head, matrix in self.matrices.items():
            matrix.update(out.probabilities(head).argmax(1), batch.labels)  # type: ignore[operator]
        if self.class_vectors is not None:
            self.class_vectors.update(out.features.semantic, batch.labels)

    def on_validation_epoch_end(self) -> None:
        """Turn the confusion matrices of the whole split into mIoU."""
        for head, matrix in self.matrices.items():
            miou = scores(matrix.compute()).miou  # type: ignore[operator]
            matrix.reset()  # type: ignore[operator]
            self.log(f"val/miou_{head}", miou)
            if head == self.answer:
                self.log("val/miou", miou)
        if self.class_vectors is not None and self.text is not None:
            self.similarity = self.class_vectors.similarity()
            self.class_vectors.reset()
            names = similarity(self.text.vectors, self.text.known)
            self.log("val/alignment", rank_correlation(self.similarity, names))

    def configure_optimizers(self) -> Any:
        """AdamW; see `configure_adamw`."""
        return configure_adamw(self.network, self.config.train, self.trainer)


def configure_adamw(network: nn.Module, options: TrainConfig, trainer: L.Trainer) -> Any:
    """AdamW without decay of vectors; linear warm-up from 0.1, then poly decay of power 0.9."""
    trainable = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trainable if p.ndim > 1], "weight_decay": options.weight_decay},
        {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0},
    ]
    # in mixed precision Lightning refuses to clip the gradients of a fused optimiser
    fused = trainer.precision == "32-true"
    optimizer = torch.optim.AdamW(groups, lr=options.learning_rate, fused=fused)
    total = int(trainer.estimated_stepping_batches)

    def rate(step: int) -> float:
        return learning_rate_factor(step, total, round(options.warmup * total))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def learning_rate_factor(step: int, total: int, warmup: int) -> float:
    """Fraction of the peak learning rate: 0.1 → 1 over the warm-up, times (1 - step/total)^0.9."""
    rise = 1.0 if step >= warmup else 0.1 + 0.9 * step / warmup
    return float(rise * max(0.0, 1 - step / total) ** 0.9)
