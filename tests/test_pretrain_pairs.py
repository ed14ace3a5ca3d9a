"""The script that pre-trains on pairs without labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from samantic.cli import main
from samantic.config import AugmentConfig, TrainConfig
from samantic.data import PairedFolder
from samantic.data.loading import Batch
from samantic.learn.history import read_history
from samantic.models import TwoStream
from samantic.models.encoders.efficientnet import GRAY
from samantic.predict.model_folder import load_model
from samantic.scenes.write import write_scenes
from tests.helpers import import_script

SCRIPT = Path(__file__).parents[1] / "training" / "pretrain_pairs.py"


@pytest.fixture
def pairs_script(monkeypatch: pytest.MonkeyPatch) -> Any:
    return import_script(monkeypatch, SCRIPT)


def test_squares_of_thermal_are_hidden(pairs_script: Any) -> None:
    images = torch.rand(50, 1, 80, 100)
    hidden = pairs_script.masked(images, 0.4)
    gray = (hidden == GRAY).flatten(0, 1)
    assert torch.equal(hidden[:, 0][~gray], images[:, 0][~gray])
    for rows in torch.arange(80).split(32):
        for columns in torch.arange(100).split(32):
            square = gray[:, rows[:, None], columns].flatten(1).float().mean(1)
            assert set(square.tolist()) == {0.0, 1.0}  # whole squares, each at some place
    assert gray.float().mean().item() == pytest.approx(0.4, abs=0.05)
    assert torch.equal(pairs_script.masked(images, 0), images)


def test_what_thermal_does_not_tell_of_rgb(pairs_script: Any) -> None:
    """The loss by numpy; an encoder of the same images, shown whole, could tell all of it."""
    network = TwoStream("efficientnet-lite0", 1, pretrained=False)
    encoder, teacher = network.encoders["thermal"], network.encoders["rgb"]
    plain = AugmentConfig(thermal_gain=0, thermal_noise=0, modality_dropout=0)
    task = pairs_script.PairTask(encoder, teacher, plain, TrainConfig(), hidden=0.0).train()
    task.log = task.log_dict = lambda *args, **kwargs: None
    both = torch.ones(2, 2, dtype=torch.bool)
    images = {"rgb": torch.rand(2, 3, 64, 96), "thermal": torch.rand(2, 1, 64, 96)}
    encoder.eval()  # the same features in both passes
    assert all(p.weight[:, :, 0, 0].equal(torch.eye(len(p.bias))) for p in task.project)
    for project in task.project:
        torch.nn.init.normal_(project.weight, std=0.1)
    batch = Batch(["a", "b"], images, torch.full((2, 64, 96), 255), both)
    found = task.training_step(batch, 0)
    losses = []

    def scaled(maps: np.ndarray) -> np.ndarray:
        mean, std = (f(maps, axis=(0, 2, 3), keepdims=True) for f in (np.mean, np.std))
        return (maps - mean) / np.sqrt(std**2 + 1e-5)

    with torch.no_grad():
        maps = zip(task.project, encoder(images["thermal"]), teacher(images["rgb"]), strict=True)
        for project, own, wanted in maps:
            x, t = (scaled(maps.numpy()) for maps in (own, wanted))
            x = project(torch.from_numpy(x)).numpy()
            losses.append(np.square(x - t).mean())
    assert found.item() == pytest.approx(float(np.mean(losses)), rel=1e-4)
    found.backward()
    assert all(p.grad is not None for p in encoder.parameters())
    assert all(p.grad is None for p in teacher.parameters())


@pytest.mark.slow
def test_pairs_without_labels_start_a_training(
    pairs_script: Any,
    mfnet: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The loss falls; RGB's encoder stays, thermal's moves; a student starts from both."""
    out, held = tmp_path / "pairs", tmp_path / "held.txt"
    frames, pairs = tmp_path / "frames", tmp_path / "unlabelled"
    write_scenes(frames, "mfnet", {"all": range(4)}, seed=1, size=(48, 64))
    write_scenes(pairs, "pairs", {"all": range(3)}, seed=2, size=(48, 64))
    held.write_text(PairedFolder(frames, "mfnet", "all").files[0].name + "\n")
    words = ["--data", frames, "--data", f"{pairs}:pairs", "--without", held, "--out", out]
    words += ["--crop", 32, 64, "--batch-size", 2, "--workers", 0]
    words += ["--learning-rate", 0.003]
    for more in (["--steps", 20], ["--steps", 60, "--resume"]):
        monkeypatch.setattr("sys.argv", ["pretrain_pairs.py", *map(str, [*words, *more])])
        pairs_script.main()
    assert "6 pairs from 2 folders" in capsys.readouterr().out
    losses = [row["train/loss"] for row in read_history(out) if "train/loss" in row]
    assert min(losses[-2:]) < 0.9 * losses[0]
    trained = load_model(out)[0].state_dict()
    fresh = TwoStream("efficientnet-lite0", 1).state_dict()
    names = [name for name in fresh if name.startswith("encoders.")]
    moved = {name.split(".")[1] for name in names if not torch.equal(trained[name], fresh[name])}
    assert moved == {"thermal"}
    options = [f"--data.root={mfnet}", "--data.train=train", "--train.steps=1", "--data.workers=0"]
    options += [f"--out={tmp_path / 'run'}", "--augment.crop=[32,64]", f"--train.start={out}"]
    assert main(["train", str(SCRIPT.with_name("nano_labelled.yaml")), *options]) == 0
    assert "started from" in capsys.readouterr().out
