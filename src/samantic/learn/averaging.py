"""The mean of a training's weights over its last steps, which is often better than the last."""

from __future__ import annotations

from typing import Any, cast

import lightning as L  # the name its documentation uses
import torch
from torch import Tensor, nn

from samantic.learn.steps import ends_part, ends_step


class Average(L.Callback):
    """An exponential moving average of the weights, which is what is validated and kept.

    After step t (from 1) every trained weight and every floating buffer w, such as BatchNorm's
    statistics, goes into its mean m by

        m <- m + (1 - d_t) (w - m),   d_t = min(d, t / (t + 9))

    so that the first steps are soon forgotten. The training itself goes on from w: for a validation
    m is exchanged for w, and `PutBack`, which must come after whatever keeps the model, undoes it.
    last.ckpt holds both.

    Args:
        decay: d, below 1.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.means: dict[str, Tensor] = {}
        self.own: dict[str, Tensor] = {}

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Begin with the weights as they are; a resumed run has its means."""
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
        """Restore the trained weights, if the means are in their place."""
        weights = averaged(task) if self.own else {}
        for name, weight in weights.items():
            weight.copy_(self.own[name])
        self.own = {}

    def on_save_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """A checkpoint holds the trained weights, also those that have several names."""
        network, state = cast(nn.Module, pl_module.network), checkpoint["state_dict"]
        kinds = (network.named_parameters, network.named_buffers)
        first = {id(tensor): name for named in kinds for name, tensor in named()}
        for named in kinds:
            for name, tensor in named(remove_duplicate=False):
                own = self.own.get(first[id(tensor)])
                if own is not None and f"network.{name}" in state:
                    state[f"network.{name}"] = own

    def state_dict(self) -> dict[str, Any]:
        """The means travel with the checkpoint."""
        return {"means": self.means}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the means of the run that is resumed."""
        self.means = state_dict["means"]


class PutBack(L.Callback):
    """Undo the exchange of weights by `Average`; the last of a training's callbacks.

    Args:
        average: What has exchanged it.
    """

    def __init__(self, average: Average) -> None:
        self.average = average

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, *args: Any
    ) -> None:
        """Without a validation split, where it was kept after a step."""
        self.average.put_back(pl_module)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """After a validation."""
        self.average.put_back(pl_module)


def averaged(task: L.LightningModule) -> dict[str, Tensor]:
    """The tensors of a task's network that training changes: weights and floating buffers."""
    network = cast(nn.Module, task.network)
    trained = {name: p.detach() for name, p in network.named_parameters() if p.requires_grad}
    return trained | {n: b for n, b in network.named_buffers() if b.is_floating_point()}
