"""Trainings that leave the finite numbers: they stop in a line, and never end in a model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from samantic.cli import main
from samantic.config.options import RANGES, Range
from samantic.errors import InputError
from samantic.learn.callbacks import KeepRun
from samantic.learn.history import read_history
from samantic.learn.task import SegmentationTask
from samantic.predict.model_folder import load_model, save_model
from samantic.scenes.write import write_scenes

WriteConfig = Callable[..., Path]


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return captured.err.replace("\r", "\n").strip().splitlines()[-1]


@pytest.fixture
def any_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let through rates that are refused before a training starts."""
    monkeypatch.setitem(RANGES, "train.learning_rate", Range(0, 1e12))


@pytest.mark.usefixtures("any_rate")
@pytest.mark.parametrize("val", ["val", None])
@pytest.mark.parametrize("validations", [1, 20])
def test_a_rate_that_is_far_too_large_ends_in_a_line(
    mfnet: Path,
    write_config: WriteConfig,
    capsys: pytest.CaptureFixture[str],
    val: str | None,
    validations: int,
) -> None:
    data = {"val": val, "test": None}
    path = write_config(mfnet, data=data, train={"steps": 20, "validations": validations})
    assert main(["train", str(path), "--train.learning-rate", "1e9"]) == 2
    line = last_line(capsys)
    assert "the loss was not finite in 10 steps in a row, for the pairs 0" in line
    assert "lower train.learning_rate" in line
    assert not (path.parent / "run" / "model").exists()
    assert not (path.parent / "run" / "last.ckpt").exists()


@pytest.mark.usefixtures("any_rate")
def test_a_short_run_without_a_finite_state_has_no_model(
    mfnet: Path, write_config: WriteConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_config(mfnet, data={"val": None, "test": None})
    assert main(["train", str(path), "--train.learning-rate", "1e9"]) == 2
    assert "there is no model, since no state" in last_line(capsys)
    assert not (path.parent / "run" / "model").exists()


def spoil_losses(monkeypatch: pytest.MonkeyPatch, bad: range) -> list[int]:
    """Make the loss of some steps NaN; return the global steps that were begun."""
    step, seen = SegmentationTask.training_step, []

    def spoilt(self: Any, *args: Any) -> torch.Tensor:
        seen.append(self.global_step)
        loss: torch.Tensor = step(self, *args)
        return loss * (float("nan") if self.global_step in bad else 1.0)

    monkeypatch.setattr(SegmentationTask, "training_step", spoilt)
    return seen


def test_single_steps_are_skipped_and_counted(
    mfnet: Path,
    write_config: WriteConfig,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Neither the weights nor the statistics of BatchNorm know of such a step."""
    states: dict[int, dict[str, torch.Tensor]] = {}
    monkeypatch.setattr(
        KeepRun,
        "on_train_batch_end",
        lambda self, trainer, module, *args: states.update(
            {trainer.global_step: {n: t.clone() for n, t in module.state_dict().items()}}
        ),
    )
    spoil_losses(monkeypatch, range(2, 4))
    model = {"network": "student", "base": "efficientnet-lite0-short", "fusion": "two-stream"}
    path = write_config(mfnet, model={**model, "auxiliary": "none"}, train={"steps": 6})
    assert main(["train", str(path)]) == 0
    told = capsys.readouterr().err
    assert told.count("skipped, since the loss is not finite for the pairs 0") == 1
    assert "step 3: skipped" in told
    assert "2 of 6 steps were skipped" in told
    for name, tensor in states[2].items():
        assert torch.equal(tensor, states[4][name]), name
    assert any(not torch.equal(tensor, states[5][name]) for name, tensor in states[4].items())
    assert len(read_history(path.parent / "run")) > 0


def test_the_last_good_state_stays_the_model(
    mfnet: Path, write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil_losses(monkeypatch, range(4, 40))
    path = write_config(
        mfnet, data={"val": None, "test": None}, train={"steps": 20, "validations": 5}
    )
    assert main(["train", str(path)]) == 2
    run = path.parent / "run"
    assert torch.load(run / "last.ckpt", weights_only=True)["global_step"] == 12
    state = torch.load(run / "last.ckpt", weights_only=True)["state_dict"]
    for name, parameter in load_model(run)[0].named_parameters():
        assert parameter.isfinite().all()
        assert torch.equal(parameter, state[f"network.{name}"])


@pytest.mark.parametrize("val", ["val", None])
def test_a_state_that_is_not_finite_never_replaces_a_model(
    mfnet: Path,
    write_config: WriteConfig,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    val: str | None,
) -> None:
    """Also where the loss of its step was finite."""
    path = write_config(mfnet, data={"val": val, "test": None})
    step = SegmentationTask.training_step

    def broken(self: Any, *args: Any) -> torch.Tensor:
        loss = step(self, *args)
        if self.global_step == 3:
            next(self.network.parameters()).data.fill_(float("nan"))
        return loss

    monkeypatch.setattr(SegmentationTask, "training_step", broken)
    assert main(["train", str(path)]) == 0
    assert "step 4: not kept" in capsys.readouterr().err
    run = path.parent / "run"
    assert torch.load(run / "last.ckpt", weights_only=True)["global_step"] == 2
    assert all(p.isfinite().all() for p in load_model(run)[0].parameters())


def test_a_validation_split_without_a_label_keeps_the_last_state(
    tmp_path: Path, write_config: WriteConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "data"
    write_scenes(root, "mfnet", {"train": range(2), "val": range(2, 3)}, seed=3, size=(48, 64))
    erase_labels(root, "val")
    path = write_config(root, data={"test": None})
    assert main(["train", str(path)]) == 0
    assert "no pixel of the validation split has a label" in capsys.readouterr().err
    run = path.parent / "run"
    state = torch.load(run / "last.ckpt", weights_only=True)
    assert state["global_step"] == 4
    for name, parameter in load_model(run)[0].named_parameters():
        assert torch.equal(parameter, state["state_dict"][f"network.{name}"])


def erase_labels(root: Path, split: str) -> None:
    from PIL import Image

    for name in (root / f"{split}.txt").read_text().split():
        path = root / "labels" / f"{name}.png"
        with Image.open(path) as labels:
            size = labels.size
        Image.new("L", size, 255).save(path)


def test_a_network_that_is_not_finite_is_not_saved(trained: Path, tmp_path: Path) -> None:
    network, info = load_model(trained)
    next(network.parameters()).data.view(-1)[0] = float("inf")
    with pytest.raises(InputError, match="is not finite; train anew with a lower"):
        save_model(tmp_path / "model", network, info)
    assert not (tmp_path / "model").exists()


@pytest.fixture
def broken_model(trained: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "broken"
    network, info = load_model(trained)
    save_model(folder, network, info)
    tensors = load_file(folder / "model.safetensors")
    name = sorted(tensors)[0]
    tensors[name].view(-1)[0] = float("nan")
    save_file(tensors, folder / "model.safetensors")
    return folder


def test_a_model_that_is_not_finite_is_refused(
    broken_model: Path, mfnet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data", str(mfnet), "--layout", "mfnet", "--split", "test"]
    images = ["--rgb", str(mfnet / "images"), "--out", str(tmp_path / "out")]
    for words in (["evaluate", str(broken_model), *data], ["predict", str(broken_model), *images]):
        assert main(words) == 2
        line = last_line(capsys)
        assert "model.safetensors" in line
        assert "is not finite" in line
    assert not (tmp_path / "out").exists()


def test_a_model_that_answers_with_nan_measures_and_predicts_nothing(
    trained: Path, mfnet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its weights are finite, its answers are not."""
    network, info = load_model(trained)
    for parameter in network.parameters():
        parameter.data *= 1e30
    save_model(tmp_path / "huge", network, info)
    data = ["--data", str(mfnet), "--layout", "mfnet", "--split", "test"]
    assert main(["evaluate", str(tmp_path / "huge"), *data, "--out", str(tmp_path / "out")]) == 2
    assert "not finite" in last_line(capsys)
    assert not (tmp_path / "out").exists()
