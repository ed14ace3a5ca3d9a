"""A training in TensorBoard or Weights & Biases, besides the CSV files that every run keeps."""

from __future__ import annotations

import importlib.util
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L  # L is the name that Lightning's documentation uses
import numpy as np
from lightning.pytorch.loggers import Logger
from numpy.typing import NDArray
from torch import Tensor

from samantic.config.train import TrainConfig
from samantic.data.loading import Batch
from samantic.data.sensors import SENSORS
from samantic.display.ground import ground_of
from samantic.display.overlay import overlay
from samantic.errors import InputError
from samantic.files import write_text
from samantic.learn.task import ScoredTask

PACKAGES = {"tensorboard": ("tensorboard", "tensorboardX"), "wandb": ("wandb",)}
"""Modules of which a logger needs one; the extra has the logger's name."""

PROJECT = "samantic"
"""Project of Weights & Biases; WANDB_PROJECT names another."""

SHOWN = 4
"""Number of pairs of the validation split that are shown, from its start."""


def check_loggers(options: TrainConfig) -> None:
    """Refuse a logger that is not installed.

    Raises:
        InputError: A logger is not installed.
    """
    for name in options.log or ():
        if not any(importlib.util.find_spec(module) for module in PACKAGES[name]):
            raise InputError(f"train.log {name}: not installed; pip install samantic[{name}]")


def extra_loggers(out: Path, options: TrainConfig) -> list[Logger]:
    """The loggers that `train.log` names.

    TensorBoard's files lie in out/tensorboard, those of Weights & Biases in out/wandb. Settings of
    Weights & Biases, such as WANDB_MODE=offline, apply. A resumed run continues in the same log.

    Raises:
        InputError: A logger is not installed.
    """
    check_loggers(options)
    found: list[Logger] = []
    for name in options.log or ():
        if name == "tensorboard":
            from lightning.pytorch.loggers import TensorBoardLogger

            found.append(TensorBoardLogger(out, name=None, version="tensorboard"))
        else:
            from lightning.pytorch.loggers import WandbLogger

            project = os.environ.get("WANDB_PROJECT", PROJECT)
            found.append(
                WandbLogger(out.name, out, id=_same_id(out), project=project, resume="allow")
            )
    return found


def finish(trainer: L.Trainer) -> None:
    """Finish the run at Weights & Biases, so that the next run of this process is a new one."""
    for logger in trainer.loggers if trainer.is_global_zero else ():
        begun = getattr(logger, "_experiment", None)  # `experiment` would start a run
        if type(logger).__name__ == "WandbLogger" and begun is not None:
            begun.finish()


def _same_id(out: Path) -> str:
    """The run's id, which is drawn once and then read from its file."""
    path = out / "logs" / "wandb.id"
    if not path.exists():
        write_text(path, secrets.token_hex(4))
    return path.read_text(encoding="utf-8").strip()


class Panels(L.Callback):
    """At each validation, show the first pairs: what was seen, the truth, and the prediction.

    Args:
        classes: Class names by label id, which give the colours.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = classes

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Draw a pair, if it is one of the first."""
        if (
            batch_idx >= SHOWN
            or not trainer.is_global_zero
            or not isinstance(pl_module, ScoredTask)
        ):
            return
        labels = pl_module.predicted(batch)
        for i, name in enumerate(batch.names):
            images = {
                kind: SENSORS[kind].as_pixels(part[i].float().clamp(0, 1).cpu())
                for kind, part in batch.images.items()
            }
            panel = self._panel(images, batch.labels[i], labels[i])
            for logger in trainer.loggers:
                _show(logger, f"val/{name}", panel, trainer.global_step)

    def _panel(
        self, images: dict[str, NDArray[np.uint8]], truth: Tensor, predicted: Tensor
    ) -> NDArray[np.uint8]:
        ground = ground_of(images.get("rgb"), images.get("thermal"))
        parts = [np.dstack([x] * 3) if x.ndim == 2 else x for x in images.values()]
        for labels in (truth, predicted):
            ids = labels.byte().cpu().numpy()
            parts.append(np.asarray(overlay(ground, ids, self.classes)))
        return np.hstack(parts)


def panels(options: TrainConfig, classes: Sequence[str]) -> list[L.Callback]:
    """The callback that shows pairs, if there is a logger for it."""
    return [Panels(classes)] if options.log else []


def _show(logger: Any, title: str, pixels: NDArray[np.uint8], step: int) -> None:
    kind = type(logger).__name__
    if kind == "TensorBoardLogger":
        logger.experiment.add_image(title, pixels, step, dataformats="HWC")
    elif kind == "WandbLogger":
        logger.log_image(title, [pixels], step)
