"""The moving average of a training's weights, which is often better than the last weights."""

from __future__ import annotations

from typing import Any, cast

import lightning as L  # L is the name that Lightning's documentation uses
import torch
from torch import Tensor, nn

from samantic.learn.steps import ends_part, ends_step


class Average(L.Callback):
    """An exponential moving average of the weights, which is validated and saved.

    After step t (from 1) every trained weight and every floating-point buffer w, such as
    BatchNorm's statistics, updates its mean m by

        m <- m + (1 - d_t) (w - m),   d_t = min(d, t / (t + 9))

    so that the first steps soon lose their weight. The training itself continues from w. For a
    validation, m replaces w; `PutBack`, which must come after the callback that saves the model,
    restores w. last.ckpt holds both.

    Args:
        decay: d, below 1.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.means: dict[str, Tensor] = {}
        self.own: dict[str, Tensor] = {}

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start from the present weights; a resumed run has its means already."""
        weights = averaged(pl_module)
        self.means = {
            name: self.means.get(name, weight).detach().to(weight.device, copy=True)
            for name, weight in weights.items()
        }

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, index: int
    ) -> None:
        """Update the means with a step's weights; without validations the model may be saved."""
        if not ends_step(trainer, index):
            return
        done = trainer.global_step
        share = 1 - min(self.decay, done / (done + 9))
        weights = averaged(pl_module)
        torch._foreach_lerp_(list(self.means.values()), list(weights.values()), share)
        if not trainer.enable_validation and ends_part(trainer):
            self._exchange(pl_module)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Validate the means."""
        self._exchange(pl_module)

    @torch.no_grad()
    def _exchange(self, task: L.LightningModule) -> None:
        weights = averaged(task)
        self.own = {name: weight.clone() for name, weight in weights.items()}
        for name, weight in weights.items():
            weight.copy_(self.means[name])

    @torch.no_grad()
    def put_back(self, task: L.LightningModule) -> None:
        """Restore the trained weights if the means have replaced them."""
        weights = averaged(task) if self.own else {}
        for name, weight in weights.items():
            weight.copy_(self.own[name])
        self.own = {}

    def on_save_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Store the trained weights in a checkpoint, also those that have several names."""
        network, state = cast(nn.Module, pl_module.network), checkpoint["state_dict"]
        kinds = (network.named_parameters, network.named_buffers)
        first = {id(tensor): name for named in kinds for name, tensor in named()}
        for named in kinds:
            for name, tensor in named(remove_duplicate=False):
                own = self.own.get(first[id(tensor)])
                if own is not None and f"network.{name}" in state:
                    state[f"network.{name}"] = own

    def state_dict(self) -> dict[str, Any]:
        """The means, for the checkpoint."""
        return {"means": self.means}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the means of the run that is resumed."""
        self.means = state_dict["means"]


class PutBack(L.Callback):
    """Restores the weights that `Average` has replaced; the last of a training's callbacks.

    Args:
        average: The callback that has replaced them.
    """

    def __init__(self, average: Average) -> None:
        self.average = average

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, *args: Any
    ) -> None:
        """Restore after a step at which the model was saved without a validation split."""
        self.average.put_back(pl_module)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Restore after a validation."""
        self.average.put_back(pl_module)


def averaged(task: L.LightningModule) -> dict[str, Tensor]:
    """The tensors of a task's network that training changes: weights and floating buffers."""
    network = cast(nn.Module, task.network)
    trained = {name: p.detach() for name, p in network.named_parameters() if p.requires_grad}
    return trained | {n: b for n, b in network.named_buffers() if b.is_floating_point()}
