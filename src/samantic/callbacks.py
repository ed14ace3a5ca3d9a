"""What happens beside the training steps: a progress bar, and files that survive a stop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L  # the name its documentation uses
from tqdm import tqdm

from samantic.files import replacing


class ProgressBar(L.Callback):
    """One bar over the whole run: steps, time left, loss and the last validation's mIoU.

    Args:
        label: Name of the run.
        line: Line of the terminal, where several runs draw their bars at once.
    """

    def __init__(self, label: str, line: int = 0) -> None:
        self.label, self.line = label, line
        self.bar: Any = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Open the bar at the step that the run starts or resumes from."""
        self.bar = tqdm(
            total=int(trainer.estimated_stepping_batches),
            initial=trainer.global_step,
            desc=self.label,
            unit="step",
            position=self.line,
            dynamic_ncols=True,
            disable=not trainer.is_global_zero,
            mininterval=0.5,
        )

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, *args: Any
    ) -> None:
        """Advance by what the optimiser has done."""
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
        """Close the bar, so that the error starts on a line of its own."""
        if self.bar is not None:
            self.bar.close()


class KeepRun(L.Callback):
    """After each validation: keep the model if it is the best so far, and what resuming needs.

    Args:
        out: Run folder; `last.ckpt` in it holds the whole state of the training.
        keep: Called when `val/miou` is higher than ever before.
    """

    def __init__(self, out: Path, keep: Callable[[], None]) -> None:
        self.out, self.keep = out, keep
        self.best = -1.0

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write `model/` if it improved, then `last.ckpt`."""
        if trainer.sanity_checking:
            return
        miou = float(trainer.callback_metrics["val/miou"])
        if miou > self.best:
            self.best = miou
            if trainer.is_global_zero:
                self.keep()
        if not trainer.is_global_zero:  # takes part in gathering, writes nothing
            trainer.save_checkpoint(self.out / "last.ckpt")
            return
        with replacing(self.out / "last.ckpt") as temporary:
            trainer.save_checkpoint(temporary)

    def state_dict(self) -> dict[str, Any]:
        """The best mIoU so far travels with the checkpoint."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the best mIoU of the run that is resumed."""
        self.best = state_dict["best"]
