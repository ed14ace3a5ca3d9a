"""One training: Lightning's trainer with this package's logs, files and precision."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import lightning as L  # L is the name that Lightning's documentation uses
import torch
from lightning.pytorch.loggers import CSVLogger
from torch import nn
from torch.utils.data import DataLoader

from samantic.config.train import TrainConfig
from samantic.data.loading import Batch, Draws, Source, train_loader
from samantic.errors import StoppedError
from samantic.learn.averaging import Average, PutBack
from samantic.learn.loggers import extra_loggers, finish
from samantic.learn.resume import newest
from samantic.learn.state import KeepState, StateFiles
from samantic.learn.steps import AllLearn, Replaced, SkipBroken, StepSeed, Validations
from samantic.learn.trouble import explained
from samantic.models.checkpointing import checkpoint_blocks
from samantic.models.compiling import compile_parts
from samantic.models.devices import check_count
from samantic.progress import tell


def fit(
    task: L.LightningModule,
    out: Path,
    options: TrainConfig,
    source: Source,
    val_batches: DataLoader[Batch] | None,
    callbacks: list[L.Callback],
    resume: bool = False,
) -> L.Trainer:
    """Run a training that logs into out/logs and, on request, resumes from out/last.ckpt.

    Without validation batches, the callbacks alone decide which state is saved. A resumed run sees
    the same pairs with the same random changes as a run that was never stopped.

    Raises:
        InputError: The machine has fewer devices than requested, the run cannot be resumed from
            out/last.ckpt, or the loss is no longer finite.
        StoppedError: The machine stopped the training; see `trouble.explained`.
        Terminated: SIGTERM arrived, and the state is saved.
    """
    check_count(options.devices)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    if options.checkpointing:
        checkpoint_blocks(cast(nn.Module, task.network))
    task.to(memory_format=torch.channels_last)  # makes convolutions faster on CPUs
    path, start = newest(out, task) if resume else (None, 0)
    callbacks = _callbacks(out, options, len(source), callbacks)
    trainer: Any = _trainer(out, options, callbacks)
    if options.compile:
        compile_parts(cast(nn.Module, task.network), trainer.strategy.root_device.type)
    steps = _steps(trainer, options, len(source))
    trainer.fit_loop.epoch_loop.max_steps = steps  # it depends on the number of devices
    trainer.log_every_n_steps = min(10, steps)
    batches = [options.accumulate * count for count in (steps, start)]
    draws = Draws(len(source), options.batch_size, options.seed, *batches)
    learnt = train_loader(source, draws)
    try:
        with _quiet(), _explained(trainer, options):
            trainer.fit(task, learnt, val_batches, ckpt_path=path, weights_only=True)
    finally:
        finish(trainer)
    return cast(L.Trainer, trainer)


def _steps(trainer: L.Trainer, options: TrainConfig, length: int) -> int:
    """The steps of a run on a split of `length` pairs; a line where no option says how many."""
    devices = trainer.num_devices * trainer.num_nodes
    pairs = options.batch_size * options.accumulate * devices
    steps = options.total_steps(length, pairs)
    if not (options.steps or options.epochs) and trainer.is_global_zero:
        tell(
            f"neither train.steps nor train.epochs is given: {steps:,} steps of {pairs} pairs, "
            f"which are {steps * pairs / length:,.0f} epochs of {length:,} pairs"
        )
    return steps


def _callbacks(
    out: Path, options: TrainConfig, length: int, own: list[L.Callback]
) -> list[L.Callback]:
    """The callbacks of every training, before and after those of this one; their order matters."""
    always: list[L.Callback] = [
        StepSeed(options.seed),
        Validations(options.validations),
        AllLearn(),
        SkipBroken(),
        Replaced(length),
    ]
    callbacks = [*always, *own, KeepState(out, options.save_minutes)]
    if not options.ema:
        return callbacks
    average = Average(options.ema)
    return [average, *callbacks, PutBack(average)]


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence warnings about intended behaviour."""
    with warnings.catch_warnings():
        # Lightning's advice to start more loading workers does not know this machine's cores.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        # A run may have no validation split, and a teacher may be in evaluation mode, by intent.
        warnings.filterwarnings("ignore", message=".*have no `val_dataloader`.*")
        warnings.filterwarnings("ignore", message=".*in eval mode at the start of training.*")
        # `Draws` continues where a run was stopped, which Lightning cannot know.
        warnings.filterwarnings("ignore", message=".*ended before the epoch ended.*")
        # torch.compile of torch 2.13 reads gradients that are not needed.
        warnings.filterwarnings("ignore", message=".*grad attribute of a Tensor that is not a leaf")
        # Lightning 2.6 calls a torch function that torch 2.13 deprecates.
        warnings.filterwarnings("ignore", message=".*LeafSpec.* is deprecated")
        yield


@contextmanager
def _explained(trainer: L.Trainer, options: TrainConfig) -> Iterator[None]:
    """Turn errors that the machine causes into one line with the remedy.

    Raises:
        StoppedError: Memory ran out, or the loading of pairs failed.
        KeyboardInterrupt: Ctrl-C, which Lightning turns into an exit.
    """
    try:
        yield
    except SystemExit:
        if trainer.interrupted:
            raise KeyboardInterrupt from None
        raise
    except (RuntimeError, MemoryError, OSError, EOFError) as error:
        line = explained(error, trainer.global_step, options)
        if line is None:
            raise
        raise StoppedError(line) from None


def _trainer(out: Path, options: TrainConfig, callbacks: list[L.Callback]) -> L.Trainer:
    """Lightning's trainer; its number of steps is set later."""
    csv = CSVLogger(out, name="logs", version=_next_part(out), flush_logs_every_n_steps=10)
    return L.Trainer(
        max_steps=1,
        val_check_interval=1,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        precision=_precision(options),
        devices=options.devices,
        use_distributed_sampler=False,  # the loaders distribute the pairs themselves
        logger=[csv, *extra_loggers(out, options)],
        callbacks=callbacks,
        plugins=[StateFiles()],
        gradient_clip_val=options.clip,
        accumulate_grad_batches=options.accumulate,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def _precision(options: TrainConfig) -> Any:
    if options.precision != "auto":
        return options.precision
    return (
        "bf16-mixed" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "32-true"
    )


def _next_part(out: Path) -> str:
    """Name of the log of this start or resume: the logger deletes old files of the same name."""
    return f"part-{len(list((out / 'logs').glob('part-*')))}"
