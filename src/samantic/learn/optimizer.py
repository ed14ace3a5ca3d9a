"""AdamW, its weight decay, and its learning rate schedule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import lightning as L  # L is the name that Lightning's documentation uses
import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from samantic.config.train import TrainConfig
from samantic.models.encoders.lora import Adapter


def configure_adamw(
    rates: Mapping[nn.Module, float], options: TrainConfig, trainer: L.Trainer
) -> Any:
    """AdamW with weight decay of kernels; linear warm-up from 0.1, then poly decay of power 0.9.

    Args:
        rates: The networks, and the peak learning rate of each.
        options: The training options; `learning_rate` is not read here.
        trainer: The trainer, which knows the precision and the number of steps.
    """
    groups = []
    for network, peak in rates.items():
        decayed = {id(kernel) for kernel in kernels(network)}
        trainable = [p for p in network.parameters() if p.requires_grad]
        for decay, wanted in ((options.weight_decay, True), (0.0, False)):
            params = [p for p in trainable if (id(p) in decayed) == wanted]
            groups.append({"params": params, "lr": peak, "weight_decay": decay})
    # in mixed precision, Lightning does not clip the gradients of a fused optimiser
    fused = trainer.precision == "32-true"
    optimizer = torch.optim.AdamW(groups, fused=fused)
    total = int(trainer.estimated_stepping_batches)

    def rate(step: int) -> float:
        return learning_rate_factor(step, total, round(options.warmup * total))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def kernels(network: nn.Module) -> Iterator[Tensor]:
    """The matrices and kernels between features, which are subject to weight decay.

    Tokens, positional embeddings, norms and biases are not among them.
    """
    for module in network.modules():
        if isinstance(module, nn.Linear | _ConvNd):
            yield module.weight
        elif isinstance(module, Adapter):
            yield from module.kernels()


def learning_rate_factor(step: int, total: int, warmup: int) -> float:
    """The learning rate at a step as a fraction of its peak.

    It rises linearly from 0.1 to 1 over the warm-up of w steps. From there it is (1 - (step - w) /
    (total - w))^0.9.
    """
    if step < warmup:
        return 0.1 + 0.9 * step / warmup
    return float(max(0.0, 1 - (step - warmup) / max(1, total - warmup)) ** 0.9)
