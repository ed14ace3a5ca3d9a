"""The distillation's steps and optimiser."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from samantic.config.distill import DistillConfig
from samantic.data.augment import Photometric
from samantic.data.loading import Batch
from samantic.data.resize import magnify, network_scale, resize_to
from samantic.distill.data import LessonBatch
from samantic.distill.features import FeatureTransfer
from samantic.distill.objective import student_terms, teacher_terms
from samantic.distill.targets import Targets, make_targets, stack_targets, within
from samantic.distill.teacher import Teacher
from samantic.distill.views import draw_columns, put_back, view
from samantic.distill.windows import Cut, plan_windows
from samantic.learn.optimizer import configure_adamw
from samantic.learn.task import ScoredTask
from samantic.models import Network, Output
from samantic.models.pyramid import Pyramid
from samantic.predict.blending import Floats, Places, blend_tiles


class DistillTask(ScoredTask):
    """Train a student on the targets of a teacher and masks, without labels (GoodSAM).

    Logs every loss term of a step.

    Args:
        student: The network that is trained.
        config: The run.
        teacher: The teacher, if it is trained too; otherwise the batches hold the targets.
        guide: The frozen teacher whose features are targets, if `loss.features` is set.
    """

    def __init__(
        self,
        student: Network,
        config: DistillConfig,
        teacher: Teacher | None = None,
        guide: Teacher | None = None,
    ) -> None:
        super().__init__(student, "mask", config.data.eval_size)
        self.config, self.teacher = config, teacher
        self.options = config.loss
        if config.masks.source == "none":  # without masks there are no boundary targets
            self.options = replace(config.loss, boundary=0.0)
        self.photometric = Photometric(config.augment)
        self.features = None if guide is None else FeatureTransfer(student, guide.network)
        self.guides = [] if guide is None else [guide]  # a list, so that checkpoints leave it out

    def validation_step(self, batch: Batch, index: int) -> None:
        """Count pixels of the prediction; for panoramas across their edges, as at inference."""
        if self.config.window is None:
            self.count(batch)
            return
        height, width = size = batch.labels.shape[-2:]
        scale = network_scale(size, self.eval_size)

        def part(rows: slice, columns: Places) -> Floats:
            images = {
                name: magnify(x[..., rows, torch.from_numpy(columns[0])], scale)
                for name, x in batch.images.items()
            }
            out: Output = self.network(**images)
            return resize_to(out.probabilities(), size)[None].float().cpu().numpy()

        confidence, (labels, *_), _ = blend_tiles(part, height, width, (height, width), wrap=True)
        self.answers_finite &= bool(np.isfinite(confidence).all())
        matrix: Any = self.matrices["mask"]
        matrix.update(torch.from_numpy(labels[None]).to(self.device), batch.labels)

    def training_step(self, batch: LessonBatch, index: int) -> Tensor:
        """L_S of the student, and L_TA of a trained teacher; their gradients are separate."""
        height, width = batch.pairs.labels.shape[-2:]
        cut = plan_windows(self.config.window, (height, width))
        targets, learnt = self._teach(batch, cut) if batch.targets is None else (batch.targets, {})
        logits, seen = self._student(batch)
        terms = student_terms(logits, targets, cut, self.options) | learnt | seen
        total = torch.stack(list(terms.values())).sum()
        self.log_dict({f"train/{name}": term.detach() for name, term in terms.items()})
        self.log("train/loss", total.detach())
        return total

    def _teach(self, batch: LessonBatch, cut: Cut) -> tuple[Targets, dict[str, Tensor]]:
        """The teacher's present targets, and its own loss terms."""
        teacher = cast(Teacher, self.teacher)
        pairs = batch.pairs
        logits = teacher.in_windows(pairs.images, cut)
        each = zip(logits.unbind(1), batch.masks, strict=True)
        targets = stack_targets([make_targets(*part, cut, self.options) for part in each])
        targets = within(targets, pairs.inside)
        return targets, teacher_terms(logits, targets, cut, self.options)

    def _student(self, batch: LessonBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """The student's logits (N, K, H, W) for a view, mapped back; and feature terms."""
        options, pairs = self.config.augment, self.photometric(batch.pairs)
        count, width = len(pairs.labels), pairs.labels.shape[-1]
        roll = options.roll and self.config.window is not None
        columns = draw_columns(count, width, options.flip, roll)
        present = pairs.present if len(self.network.modalities) > 1 else None
        seen = {name: view(x, columns) for name, x in pairs.images.items()}
        out: Output = self.network(**seen, present=present)
        terms = {}
        if self.features is not None:
            found = self.features(out.features, self._guide(batch.pairs, columns))
            terms["features"] = self.options.features * found
        return put_back(out.logits, columns), terms

    @torch.no_grad()
    def _guide(self, pairs: Batch, columns: Tensor) -> Pyramid:
        """The teacher's maps for the student's view, from the unaugmented images."""
        guide = self.guides[0].to(self.device)
        seen = {name: view(x, columns) for name, x in pairs.images.items()}
        maps: Pyramid = guide.network(**seen).features
        return maps

    def configure_optimizers(self) -> Any:
        """AdamW for the student, and for a teacher that is trained too, at its own rate."""
        rates: dict[torch.nn.Module, float] = {self.network: self.config.train.learning_rate}
        if self.features is not None:
            rates[self.features] = self.config.train.learning_rate
        if self.teacher is not None:
            rates[self.teacher] = self.config.teacher.learning_rate
        return configure_adamw(rates, self.config.train, self.trainer)
