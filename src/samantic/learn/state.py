"""last.ckpt: when the state of a training is saved, and how it is written."""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import lightning as L  # L is the name that Lightning's documentation uses
import torch
from lightning.pytorch.plugins.io import CheckpointIO

from samantic.errors import Terminated
from samantic.files import replacing
from samantic.learn.resume import BEFORE, LAST
from samantic.learn.steps import ends_part, ends_step
from samantic.models.network import broken

TRAINING = "epoch_loop.batch_progress"
"""Key in Lightning's state with the number of batches of a training."""

VALIDATION = "epoch_loop.val_loop.batch_progress"
"""Key in Lightning's state with the progress of a validation."""


class StateFiles(CheckpointIO):
    """Checkpoints that are complete: written to a temporary file, synced, read back, then renamed.

    The state before is kept as `previous.ckpt`. Lightning's own writer uses $TMPDIR, and silently
    writes no file if it has no permission.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Write a checkpoint.

        Raises:
            OSError: The disk is full or not writable, or its content differs from what was written.
        """
        path = Path(path)
        with replacing(path, sync=True) as temporary:
            _write(temporary, checkpoint, path)
            with zipfile.ZipFile(temporary) as file:
                damaged = file.testzip()
            if damaged is not None:
                raise OSError(errno.EIO, "what is read is not what was written", str(path))
            if path.exists():
                path.replace(path.with_name(BEFORE))

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read tensors and plain values; nothing is unpickled."""
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return content

    def remove_checkpoint(self, path: Any) -> None:
        """Remove a checkpoint."""
        Path(path).unlink(missing_ok=True)


def _write(temporary: Path, checkpoint: dict[str, Any], path: Path) -> None:
    """Write a file; torch's error for a full disk becomes an OSError."""
    with temporary.open("wb") as file:
        try:
            torch.save(checkpoint, file)
        except RuntimeError as error:
            cause = error.__context__
            number = (cause.errno if isinstance(cause, OSError) else 0) or errno.ENOSPC
            raise OSError(number, os.strerror(number), str(path)) from None


class KeepState(L.Callback):
    """Save the state for resuming: after validations, every few minutes, and at SIGTERM.

    Without a validation split it is saved at the same steps. A state whose weights or outputs are
    not finite is never saved. At SIGTERM the training saves its state and ends, after the current
    step or within a validation. A resumed run then repeats the validation from its beginning.

    Args:
        out: Run folder.
        minutes: Longest time between two saves, apart from the length of a step or a validation.
    """

    def __init__(self, out: Path, minutes: float) -> None:
        self.out, self.seconds = out, 60 * minutes
        self.saved, self.step = time.monotonic(), 0
        self.asked = self.pending = False

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Handle SIGTERM; Lightning restores the previous handler."""
        self.saved, self.step = time.monotonic(), trainer.global_step
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, number: int, frame: object) -> None:
        self.asked = True

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, index: int
    ) -> None:
        """Save if it is time; if a validation follows, save after it."""
        if not ends_step(trainer, index):
            return
        asked = any_process(trainer, self.asked)
        due = any_process(trainer, time.monotonic() - self.saved >= self.seconds)
        self.pending = trainer.enable_validation and ends_part(trainer)
        if asked or (not self.pending and (due or ends_part(trainer))):
            self._save(trainer, pl_module)
        if asked:
            self._end(trainer)

    def on_validation_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, *args: Any
    ) -> None:
        """Stop a validation early after SIGTERM; with several processes others would wait."""
        if self.asked and trainer.world_size == 1:
            self._save(trainer, pl_module)
            self._end(trainer)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save the state after a validation."""
        self.pending = False
        self._save(trainer, pl_module)
        if any_process(trainer, self.asked):
            self._end(trainer)

    def _save(self, trainer: L.Trainer, task: L.LightningModule) -> None:
        if all_finite(trainer, task):
            trainer.save_checkpoint(self.out / LAST)
            self.saved, self.step = time.monotonic(), trainer.global_step

    def _end(self, trainer: L.Trainer) -> None:
        """End the training.

        Raises:
            Terminated: Always; the first process reports it.
        """
        line = (
            f"terminated (SIGTERM) after step {trainer.global_step} of {trainer.max_steps}; "
            f"{self.out / LAST} holds step {self.step}, from which --resume goes on"
        )
        raise Terminated(line if trainer.is_global_zero else "")

    def on_load_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Convert the number of finished steps to batches, with this run's batches per step."""
        batches = checkpoint["global_step"] * trainer.accumulate_grad_batches
        progress = checkpoint["loops"]["fit_loop"][TRAINING]
        for part in (progress["total"], progress["current"]):
            open_batches = part["processed"] - part["completed"]
            part |= {"ready": batches, "started": batches, "processed": batches}
            part["completed"] = batches - open_batches

    def on_save_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """If a validation is still due, let a resumed run begin with it."""
        if self.pending:
            begun = {"ready": 1, "started": 1, "processed": 0, "completed": 0}
            nothing = dict.fromkeys(begun, 0)
            progress = {"total": begun, "current": nothing, "is_last_batch": False}
            checkpoint["loops"]["fit_loop"][VALIDATION] = progress


def any_process(trainer: L.Trainer, here: bool) -> bool:
    """Whether a condition holds in at least one process of a training."""
    return bool(trainer.strategy.reduce_boolean_decision(here, all=False))


def all_finite(trainer: L.Trainer, task: L.LightningModule) -> bool:
    """Whether the weights and the last outputs are finite in all processes of a training."""
    finite = getattr(task, "answers_finite", True) and broken(task.state_dict().items()) is None
    return bool(trainer.strategy.reduce_boolean_decision(finite))
