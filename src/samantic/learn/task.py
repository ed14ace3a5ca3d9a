"""The training task: steps, losses and the optimiser; all other parts are callbacks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import lightning as L  # L is the name that Lightning's documentation uses
import torch
from torch import Tensor, nn
from torchmetrics.classification import MulticlassConfusionMatrix

from samantic.config.classes import IGNORE
from samantic.config.networks import Head
from samantic.config.train import Config
from samantic.data.augment import Photometric
from samantic.data.loading import Batch
from samantic.data.resize import labels_at, magnify, network_scale, resize_to
from samantic.learn.class_terms import ClassTerms, ClassVectors
from samantic.learn.optimizer import configure_adamw
from samantic.losses import (
    boundary_weights,
    cross_entropy,
    ohem_cross_entropy,
    similarity,
    teacher_distillation,
)
from samantic.metrics import rank_correlation, scores
from samantic.models import Network, Output
from samantic.models.text import TextVectors


class ScoredTask(L.LightningModule):
    """Measure a network on the labelled pairs of the validation split.

    After each validation the mIoU of each head is logged as `val/miou_mask`, `val/miou_auxiliary`
    and `val/miou_mean`; `val/miou` is that of the head that predicts at inference. The values are
    NaN if no pixel has a label, or if an output is not finite; `answers_finite` distinguishes the
    two.

    Args:
        network: The network.
        prediction: The head that predicts, if the network has it.
        eval_size: Short side in pixels to which validation images are resized; None does not
            resize.
    """

    def __init__(self, network: Network, prediction: Head, eval_size: int | None = None) -> None:
        super().__init__()
        self.network, self.eval_size = network, eval_size
        self.answer: Head = prediction if prediction in network.heads else "mask"
        self.answers_finite = True
        self.matrices = nn.ModuleDict(
            {
                head: MulticlassConfusionMatrix(network.num_classes, ignore_index=IGNORE)
                for head in network.heads
            }
        )

    @torch.no_grad()
    def is_finite_on(self, batch: Batch) -> bool:
        """Whether the network's output for these pairs, in evaluation mode, is finite."""
        modes = {module: module.training for module in self.network.modules()}
        self.network.eval()
        with self.trainer.precision_plugin.forward_context():
            out: Output = self.network(**batch.images)
        for module, mode in modes.items():
            module.training = mode
        return all(bool(out.probabilities(head).isfinite().all()) for head in self.network.heads)

    @torch.no_grad()
    def predicted(self, batch: Batch) -> Tensor:
        """The labels (N, H, W) of a validation batch by the head that is used for prediction."""
        size = batch.labels.shape[-2:]
        scale = network_scale(size, self.eval_size)
        with self.trainer.precision_plugin.forward_context():
            out: Output = self.network(**{n: magnify(x, scale) for n, x in batch.images.items()})
        return resize_to(out.probabilities(self.answer), size).argmax(1)

    def on_validation_epoch_start(self) -> None:
        """Reset the record of finite outputs."""
        self.answers_finite = True

    def validation_step(self, batch: Batch, index: int) -> None:
        """Count the pixels of every head's prediction."""
        self.count(batch)

    def count(self, batch: Batch) -> Output:
        """Predict a batch, and count the pixels of every head's prediction."""
        size = batch.labels.shape[-2:]
        scale = network_scale(size, self.eval_size)
        out: Output = self.network(**{n: magnify(x, scale) for n, x in batch.images.items()})
        for head in self.network.heads:
            matrix: Any = self.matrices[head]
            probabilities = resize_to(out.probabilities(head), size)
            self.answers_finite &= bool(probabilities.isfinite().all())
            matrix.update(probabilities.argmax(1), batch.labels)
        return out

    def on_validation_epoch_end(self) -> None:
        """Turn the confusion matrices of the whole split into mIoU."""
        for head in self.network.heads:
            matrix: Any = self.matrices[head]
            miou = scores(matrix.compute()).miou if self.answers_finite else float("nan")
            matrix.reset()
            self.log(f"val/miou_{head}", miou)
            if head == self.answer:
                self.log("val/miou", miou)


class SegmentationTask(ScoredTask):
    """Train a network on labelled pairs.

    Logs every loss term of a step. With class-name vectors, `val/alignment` is the rank correlation
    between the similarities of the class names and those of the class features in the validation
    images; `similarity` holds the latter.

    Args:
        network: The network.
        config: The run.
        class_weights: (K,) weights of the classes in the loss; None gives all the same weight.
        text: Vectors of the class names; None without language.
        teacher: Frozen network from rgb and thermal to logits; None trains on labels alone.
    """

    class_weights: Tensor | None

    def __init__(
        self,
        network: Network,
        config: Config,
        class_weights: Tensor | None = None,
        text: TextVectors | None = None,
        teacher: nn.Module | None = None,
    ) -> None:
        super().__init__(network, config.model.prediction, config.data.eval_size)
        self.teacher = teacher
        self.strict_loading = teacher is None  # see `on_save_checkpoint`
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.config = config
        self.photometric = Photometric(config.augment)
        self.cross_entropy: Callable[..., Tensor] = cross_entropy
        if config.loss.cross_entropy == "ohem":
            self.cross_entropy = partial(ohem_cross_entropy, count=config.loss.ohem_count)
        classes, width = network.num_classes, network.width
        self.distillation = ClassTerms(config.loss, classes, width, text, network.stride)
        self.text = text
        self.class_vectors = ClassVectors(classes, width) if text is not None else None

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """L = L_mask + λ1 L_auxiliary + λ2 L_prototype + λ3 L_language (SARTM eq 15)."""
        batch = self.photometric(batch)
        # modality dropout needs a network with another modality
        present = batch.present if len(self.network.modalities) > 1 else None
        options, target = self.config.loss, (batch.labels, self.class_weights, self._near(batch))
        single = options.cross_modal > 0
        out = self.network(**batch.images, present=present, single_modality=single)
        terms = {"mask": self.cross_entropy(out.logits, *target)}
        if out.auxiliary is not None:
            terms["auxiliary"] = options.auxiliary * self.cross_entropy(out.auxiliary, *target)
        terms |= self.distillation(out, batch.labels, batch.present, batch.inside)
        if self.teacher is not None:
            terms["teacher"] = options.teacher * self._from_teacher(self.teacher, out, batch)
        total = torch.stack(list(terms.values())).sum()
        self.log_dict({f"train/{name}": term.detach() for name, term in terms.items()})
        self.log("train/loss", total.detach())
        return total

    def _near(self, batch: Batch) -> Tensor | None:
        """The pixels' weights in the cross entropy by their distance to a boundary."""
        loss = self.config.loss
        if not loss.boundary_weight:
            return None
        return boundary_weights(batch.labels, loss.boundary_weight, loss.boundary_width)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leave the frozen teacher out of the checkpoint; a resumed run loads it again."""
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {
            name: part for name, part in state.items() if not name.startswith("teacher.")
        }

    def _from_teacher(self, teacher: nn.Module, out: Output, batch: Batch) -> Tensor:
        """The distillation loss from the teacher, which sees both images of the same view.

        Pixels outside the images are ignored.
        """
        with torch.no_grad():
            target = teacher(**batch.images)
        loss = teacher_distillation(out.logits, target, self.class_weights, batch.inside)
        if out.auxiliary is None:
            return loss
        auxiliary = teacher_distillation(out.auxiliary, target, self.class_weights, batch.inside)
        return loss + self.config.loss.auxiliary * auxiliary

    def validation_step(self, batch: Batch, index: int) -> None:
        """Count pixels, and add up the features of the classes."""
        out = self.count(batch)
        if self.class_vectors is not None:
            labels = labels_at(batch.labels, out.logits.shape[-2:])
            self.class_vectors.update(out.features.semantic, labels)

    def on_validation_epoch_end(self) -> None:
        """Log the mIoU, and the correlation of features and text."""
        super().on_validation_epoch_end()
        if self.class_vectors is not None and self.text is not None:
            self.similarity = self.class_vectors.similarity()
            self.class_vectors.reset()
            names = similarity(self.text.vectors, self.text.known)
            self.log("val/alignment", rank_correlation(self.similarity, names))

    def configure_optimizers(self) -> Any:
        """AdamW; see `configure_adamw`."""
        rate = self.config.train.learning_rate
        return configure_adamw({self.network: rate}, self.config.train, self.trainer)
