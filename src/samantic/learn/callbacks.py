"""Callbacks of a training: a progress bar, and files that the report reads later."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import lightning as L  # L is the name that Lightning's documentation uses
import numpy as np
from torch import Tensor

from samantic.data.loading import pairs_of
from samantic.errors import InputError
from samantic.files import replacing
from samantic.learn.history import read_similarity
from samantic.learn.resume import FORMAT
from samantic.learn.state import all_finite
from samantic.learn.steps import ends_part
from samantic.learn.task import ScoredTask
from samantic.progress import open_progress, tell


class ProgressBar(L.Callback):
    """One bar for the whole run: steps, time left, loss and the mIoU of the last validation.

    Args:
        label: Name of the run.
        line: Line of the terminal, where several runs draw their bars.
    """

    def __init__(self, label: str, line: int = 0) -> None:
        self.label, self.line = label, line
        self.bar: Any = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Open the bar at the step from which the run starts or resumes."""
        self.bar = open_progress(
            self.label,
            "step",
            total=int(trainer.estimated_stepping_batches),
            initial=trainer.global_step,
            position=self.line,
            dynamic_ncols=True,
            disable=not trainer.is_global_zero,
            mininterval=0.5,
        )

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, *args: Any
    ) -> None:
        """Advance by the steps of the optimiser."""
        figures = {
            name: f"{trainer.callback_metrics[key]:.3f}"
            for name, key in (("loss", "train/loss"), ("mIoU", "val/miou"))
            if key in trainer.callback_metrics
        }
        self.bar.set_postfix(figures, refresh=False)
        self.bar.update(trainer.global_step - self.bar.n)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Close the bar."""
        self.bar.close()

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """Close the bar, so that the error begins on its own line."""
        if self.bar is not None:
            self.bar.close()


class KeepRun(L.Callback):
    """After each validation, save the model if it is the best so far.

    Without a validation split, or without labels in it, the model is saved at the same steps. A
    network whose weights or outputs are not finite is never saved. `KeepState` saves the checkpoint
    for resuming.

    Args:
        out: Run folder, for messages.
        keep: Saves the model; called when `val/miou` is higher than ever before.
    """

    def __init__(self, out: Path, keep: Callable[[], None]) -> None:
        self.out, self.keep = out, keep
        self.best: float | None = None

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write `model/` if it improved."""
        if not self._usable(trainer, pl_module):
            return
        miou = float(trainer.callback_metrics["val/miou"])
        if math.isnan(miou):
            _tell(trainer, "no pixel of the validation split has a label: the last state is kept")
        if self.best is None or not miou <= self.best:
            self.best = -1.0 if math.isnan(miou) else miou
            self._keep(trainer)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, *_: Any
    ) -> None:
        """Without a validation split: save the model."""
        if trainer.enable_validation or not ends_part(trainer):
            return
        if isinstance(pl_module, ScoredTask):
            pl_module.answers_finite = pl_module.is_finite_on(pairs_of(batch))
        if self._usable(trainer, pl_module):
            self.best = -1.0
            self._keep(trainer)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Refuse to end without a model.

        Raises:
            InputError: No model could be saved.
        """
        if self.best is None:
            raise InputError(
                f"{self.out}: there is no model, since no state of the network gave finite "
                "answers; lower train.learning_rate"
            )

    def _usable(self, trainer: L.Trainer, pl_module: L.LightningModule) -> bool:
        """Whether the network may be saved; logs a line if not."""
        usable = all_finite(trainer, pl_module)
        if not usable:
            _tell(
                trainer,
                f"step {trainer.global_step}: not kept, since the network's weights or answers are "
                "not finite; lower train.learning_rate",
            )
        return usable

    def _keep(self, trainer: L.Trainer) -> None:
        if trainer.is_global_zero:
            self.keep()

    def state_dict(self) -> dict[str, Any]:
        """The best mIoU so far and the version of the checkpoint's format, for the checkpoint."""
        return {"best": self.best, "format": FORMAT}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the best mIoU of the run that is resumed."""
        self.best = state_dict["best"]


def _tell(trainer: L.Trainer, line: str) -> None:
    """Print a line above the progress bar, in the first process only."""
    if trainer.is_global_zero:
        tell(line)


class KeepSimilarity(L.Callback):
    """After each validation, append the similarity of the classes' features to similarity.npz.

    Args:
        out: Run folder. The file holds `text` (K, K) and `step_N` (K, K) for every validation.
        text: (K, K) similarity of the class names; NaN for a class without a vector.
    """

    def __init__(self, out: Path, text: Tensor) -> None:
        self.path, self.text = out / "similarity.npz", text

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Rewrite the file, including the entries of earlier parts of the run."""
        if not trainer.is_global_zero:
            return
        matrices: dict[str, Any] = read_similarity(self.path) or {"text": self.text.numpy()}
        matrices[f"step_{trainer.global_step}"] = cast(Tensor, pl_module.similarity).numpy()
        with replacing(self.path) as temporary:
            np.savez_compressed(temporary, **matrices)
