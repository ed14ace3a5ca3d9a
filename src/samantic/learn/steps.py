"""Callbacks around the training steps: seeds, validations, and steps that are not finite."""

from __future__ import annotations

from typing import Any

import lightning as L  # L is the name that Lightning's documentation uses
import torch
from torch import Tensor

from samantic.data.loading import mixed, pairs_of
from samantic.errors import InputError
from samantic.progress import tell

PATIENCE = 10
"""Number of steps in a row without a finite loss after which a training ends."""

UNREADABLE = 100
"""A training tolerates one unreadable image in this many pairs, and at least one."""

SHOWN = 10
"""Number of pairs that a message names."""


class StepSeed(L.Callback):
    """Before each batch, seed torch's generators by the run's seed and the number of the batch.

    Batches are numbered over all steps, the batches of a step, and the devices. Devices therefore
    draw different numbers. A resumed training draws the same numbers as one that was never stopped,
    and one device with two batches per step the same as two devices.

    Args:
        seed: The run's seed.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed the generators of all devices."""
        passes = trainer.accumulate_grad_batches
        batch = trainer.global_step * passes + batch_idx % passes
        place = batch * trainer.world_size + trainer.global_rank
        torch.manual_seed(mixed(self.seed, 0, place))


class Validations(L.Callback):
    """Validate at even intervals, and after the last step.

    Args:
        count: Number of validations, at most one per step.
    """

    def __init__(self, count: int) -> None:
        self.count = count

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Set whether a validation follows this step; Lightning supports only equal intervals."""
        steps = trainer.max_steps
        never = steps * trainer.accumulate_grad_batches + 1
        due = ends_step(trainer, batch_idx) and is_due(trainer.global_step + 1, steps, self.count)
        trainer.val_check_batch = 1 if due else never


def is_due(step: int, steps: int, parts: int) -> bool:
    """Whether a step ends one of `parts` parts into which a run is divided as evenly as possible.

    Example:
        >>> [step for step in range(1, 8) if is_due(step, 7, 3)]
        [3, 5, 7]
    """
    parts = min(parts, steps)
    return step * parts // steps > (step - 1) * parts // steps


def ends_part(trainer: L.Trainer) -> bool:
    """Whether `Validations` validates after the present step."""
    return trainer.val_check_batch == 1


def ends_step(trainer: L.Trainer, index: int) -> bool:
    """Whether a batch of an epoch is the last one of an optimiser's step."""
    return (index + 1) % trainer.accumulate_grad_batches == 0


class AllLearn(L.Callback):
    """At the first step, refuse a network with a trainable parameter that gets no gradient.

    It would never learn, and a training on several devices would wait for its gradient.
    """

    def __init__(self) -> None:
        self.seen = False

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Check that every trainable parameter has a gradient.

        Raises:
            RuntimeError: A trainable parameter has none.
        """
        named = () if self.seen else pl_module.named_parameters()
        without = [name for name, p in named if p.requires_grad and p.grad is None]
        self.seen = True
        if without:
            raise RuntimeError(
                f"no gradient reaches {len(without)} trainable parameters: {shortened(without)}"
            )


class SkipBroken(L.Callback):
    """Skip a step whose loss or gradient is not finite on any device; end after many in a row.

    The weights do not change in such a step. Buffers that the forward pass has changed, such as
    BatchNorm's statistics, are restored.
    """

    def __init__(self) -> None:
        self.in_a_row = self.count = 0
        self.names: list[str] = []
        self.buffers: dict[str, Tensor] = {}
        self.finite = True

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Store the buffers that the step changes before its loss is known."""
        if batch_idx % trainer.accumulate_grad_batches == 0:
            self._begin(pl_module)
        self.names += pairs_of(batch).names

    def _begin(self, pl_module: L.LightningModule) -> None:
        self.finite = True
        self.buffers = {name: buffer.clone() for name, buffer in pl_module.named_buffers()}
        if self.in_a_row == 0:
            self.names = []

    def on_before_backward(
        self, trainer: L.Trainer, pl_module: L.LightningModule, loss: Tensor
    ) -> None:
        """Check the loss."""
        self.finite &= bool(loss.isfinite())

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Check the gradients; without gradients the optimiser changes nothing.

        Raises:
            InputError: Too many steps in a row were not finite.
        """
        gradients = [p.grad for p in pl_module.parameters() if p.grad is not None]
        finite = self.finite and bool(torch.nn.utils.get_total_norm(gradients).isfinite())
        if trainer.strategy.reduce_boolean_decision(finite):
            self.in_a_row = 0
            return
        optimizer.zero_grad()
        for name, buffer in pl_module.named_buffers():
            buffer.copy_(self.buffers[name])
        self.in_a_row, self.count = self.in_a_row + 1, self.count + 1
        self._tell(trainer)

    def _tell(self, trainer: L.Trainer) -> None:
        """Print a line for the first of several skipped steps in a row.

        Raises:
            InputError: Too many steps in a row were skipped.
        """
        step, pairs = trainer.global_step + 1, shortened(self.names)
        if self.in_a_row == PATIENCE:
            raise InputError(
                f"step {step}: the loss was not finite in {PATIENCE} steps in a row, for the pairs "
                f"{pairs}; lower train.learning_rate, or look at these pairs"
            )
        if self.in_a_row == 1 and trainer.is_global_zero:
            tell(
                f"step {step}: skipped, since the loss is not finite for the pairs {pairs}; if "
                "this happens often, lower train.learning_rate"
            )

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Report the number of skipped steps."""
        if self.count and trainer.is_global_zero:
            tell(
                f"{self.count} of {trainer.max_steps} steps were skipped, since the loss was not "
                "finite"
            )


class Replaced(L.Callback):
    """Report images that cannot be read and are replaced by others; end after too many.

    Args:
        length: Number of training pairs.
    """

    def __init__(self, length: int) -> None:
        self.length, self.most = length, max(1, length // UNREADABLE)
        self.lost: set[str] = set()

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Report each unreadable image once, and count it.

        Raises:
            InputError: There are too many.
        """
        for line in pairs_of(batch).lost:
            if line in self.lost:
                continue
            self.lost.add(line)
            if len(self.lost) > self.most:
                raise InputError(
                    f"{line}; {len(self.lost)} images cannot be read, and a training of "
                    f"{self.length} pairs goes on without {self.most} at most"
                )
            tell(f"{line}; another pair takes its place")

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Report their number."""
        if self.lost:
            tell(f"{len(self.lost)} images could not be read; other pairs took their place")


def shortened(names: list[str]) -> str:
    """Some names, each once, and the number of the others."""
    unique = list(dict.fromkeys(names))
    more = len(unique) - SHOWN
    return ", ".join(unique[:SHOWN]) + (f" and {more} more" if more > 0 else "")
