"""The moving average of a training's weights: what it is, what is kept, and resuming."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor

from samantic.cli import main
from samantic.learn.averaging import Average, averaged
from samantic.learn.task import SegmentationTask
from samantic.predict.model_folder import load_model
from tests.helpers import cut_power
from tests.run.test_resuming import assert_equal

WriteConfig = Callable[..., Path]

MODEL = {"network": "student", "base": "efficientnet-lite0-short", "fusion": "early"}


def config(write_config: WriteConfig, mfnet: Path, out: Path, val: str | None = "val") -> str:
    path = write_config(
        mfnet,
        out=str(out),
        data={"val": val, "test": None},
        train={"steps": 6, "validations": 3, "ema": 0.8, "learning_rate": 0.01},
        model={**MODEL, "auxiliary": "none"},
    )
    return str(path)


def kept_means(run: Path) -> dict[str, Tensor]:
    content: dict[str, Any] = torch.load(run / "last.ckpt", weights_only=True)
    means: dict[str, Tensor] = content["callbacks"]["Average"]["means"]
    return means


@pytest.mark.parametrize("val", ["val", None])
def test_the_mean_is_kept_and_the_training_goes_on_from_its_own_weights(
    mfnet: Path,
    tmp_path: Path,
    write_config: WriteConfig,
    monkeypatch: pytest.MonkeyPatch,
    val: Any,
) -> None:
    """The definition, by a loop over the weights after every step."""
    after: list[dict[str, Tensor]] = []
    start: list[dict[str, Tensor]] = []
    begin, update = Average.on_train_start, Average.on_train_batch_end

    def copied(task: L.LightningModule) -> dict[str, Tensor]:
        return {name: weight.clone().double() for name, weight in averaged(task).items()}

    def begun(self: Average, trainer: L.Trainer, task: L.LightningModule) -> None:
        start.append(copied(task))
        begin(self, trainer, task)

    def updated(self: Average, trainer: L.Trainer, task: L.LightningModule, *args: Any) -> None:
        after.append(copied(task))
        update(self, trainer, task, *args)

    monkeypatch.setattr(Average, "on_train_start", begun)
    monkeypatch.setattr(Average, "on_train_batch_end", updated)
    assert main(["train", config(write_config, mfnet, tmp_path / "run", val)]) == 0
    assert len(after) == 6
    mean = start[0]
    for step, weights in enumerate(after, start=1):
        decay = min(0.8, step / (step + 9))
        mean = {name: decay * m + (1 - decay) * weights[name] for name, m in mean.items()}
    content: dict[str, Any] = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)
    means = kept_means(tmp_path / "run")
    assert any("running_mean" in name for name in means)
    for name, tensor in mean.items():
        torch.testing.assert_close(means[name].double(), tensor, rtol=1e-4, atol=1e-5)
        last = content["state_dict"][f"network.{name}"]
        torch.testing.assert_close(last.double(), after[-1][name], rtol=0, atol=0)
    if val is None:  # the last state is the one that is kept
        network, _ = load_model(tmp_path / "run")
        task: Any = SimpleNamespace(network=network)
        for name, tensor in averaged(task).items():
            torch.testing.assert_close(tensor.double(), mean[name], rtol=1e-4, atol=1e-5)


def test_what_is_validated_is_the_mean(
    mfnet: Path, tmp_path: Path, write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    step = SegmentationTask.validation_step

    def validated(self: SegmentationTask, *args: Any) -> None:
        average = next(c for c in self.trainer.callbacks if isinstance(c, Average))
        weights = averaged(self)
        seen.append(all(torch.equal(w, average.means[name]) for name, w in weights.items()))
        step(self, *args)

    monkeypatch.setattr(SegmentationTask, "validation_step", validated)
    assert main(["train", config(write_config, mfnet, tmp_path / "run")]) == 0
    assert seen
    assert all(seen)


def test_a_resumed_run_has_the_mean_of_one_that_was_never_stopped(
    mfnet: Path, tmp_path: Path, write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["train", config(write_config, mfnet, tmp_path / "straight")]) == 0
    path = config(write_config, mfnet, tmp_path / "parts")
    with monkeypatch.context() as patch:
        cut_power(patch, SegmentationTask, 3)
        with pytest.raises(RuntimeError, match="power cut"):
            main(["train", path])
    assert main(["train", path, "--resume"]) == 0
    assert_equal(tmp_path / "straight", tmp_path / "parts")
    means = [
        torch.load(tmp_path / name / "last.ckpt", weights_only=True)["callbacks"]["Average"][
            "means"
        ]
        for name in ("straight", "parts")
    ]
    for name, tensor in means[0].items():
        torch.testing.assert_close(tensor, means[1][name], rtol=0, atol=1e-6)


def test_a_decay_of_one_is_refused(
    mfnet: Path, write_config: WriteConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(write_config(mfnet)), "--train.ema", "1"]) == 2
    assert "train.ema is 1" in capsys.readouterr().err
