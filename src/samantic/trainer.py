"""One optimisation: Lightning's trainer with this package's logs, files and precision."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import lightning as L  # the name its documentation uses
import torch
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader

from samantic.config import TrainConfig
from samantic.data.loading import Batch
from samantic.devices import check_count


def fit(
    task: L.LightningModule,
    out: Path,
    options: TrainConfig,
    train_batches: DataLoader[Any],
    val_batches: DataLoader[Batch] | None,
    callbacks: list[L.Callback],
    resume: bool = False,
) -> L.Trainer:
    """Run an optimisation that logs into out/logs and continues from out/last.ckpt if asked.

    Without validation batches the callbacks alone decide what is kept.

    Raises:
        InputError: There are fewer devices than it asks for.
    """
    check_count(options.devices)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    task.to(memory_format=torch.channels_last)  # convolutions are faster so
    steps = options.steps or options.epochs * len(train_batches)
    trainer = L.Trainer(
        max_steps=steps,
        val_check_interval=max(1, steps // options.validations),
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        precision=_precision(options),
        devices=options.devices,
        logger=CSVLogger(out, name="logs", version=_next_part(out), flush_logs_every_n_steps=10),
        log_every_n_steps=min(10, len(train_batches)),
        callbacks=callbacks,
        gradient_clip_val=options.clip,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    with warnings.catch_warnings():
        # Lightning's advice to start more loading workers does not know this machine's cores.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        # Runs without a validation split, and teachers in evaluation mode, are meant so.
        warnings.filterwarnings("ignore", message=".*have no `val_dataloader`.*")
        warnings.filterwarnings("ignore", message=".*in eval mode at the start of training.*")
        # A resumed run shuffles the epoch it stopped in anew, which does no harm.
        warnings.filterwarnings("ignore", message=".*ended before the epoch ended.*")
        # Lightning 2.6 calls a torch function that torch 2.13 deprecates.
        warnings.filterwarnings("ignore", message=".*LeafSpec.* is deprecated")
        trainer.fit(
            task,
            train_batches,
            val_batches,
            ckpt_path=out / "last.ckpt" if resume else None,
            weights_only=True,
        )
    if trainer.interrupted:
        raise KeyboardInterrupt
    return trainer


def _precision(options: TrainConfig) -> Any:
    if options.precision != "auto":
        return options.precision
    return (
        "bf16-mixed" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "32-true"
    )


def _next_part(out: Path) -> str:
    """Each start or resume of a run logs into a part of its own; the logger deletes old files."""
    return f"part-{len(list((out / 'logs').glob('part-*')))}"
