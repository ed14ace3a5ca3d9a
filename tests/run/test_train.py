"""`samantic train`: the run folder, its start, its end, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from samantic.cli import main
from samantic.config.read import read_config
from samantic.errors import InputError
from samantic.learn.history import read_history
from samantic.learn.task import SegmentationTask
from samantic.models import load_sam2
from samantic.predict.model_folder import load_model
from samantic.run.train import train
from samantic.scenes.write import write_scenes
from tests.helpers import cut_power

WriteConfig = Callable[..., Path]
NAMES = [*"abcdefghi"]


def test_run_folder(trained: Path) -> None:
    for name in (
        "config.yaml",
        "metrics.json",
        "last.ckpt",
        "report.html",
        "logs/part-0/metrics.csv",
    ):
        assert (trained / name).stat().st_size > 0
    metrics = json.loads((trained / "metrics.json").read_text())
    assert list(metrics["iou"])[:2] == ["unlabelled", "car"]
    assert set(metrics) >= {
        "miou", "iou", "miou_present", "macc", "pixel_accuracy", "f1", "per_subset", "robustness",
        "versions", "seed", "git", "split", "frames",
    }  # fmt: skip
    assert set(metrics["per_subset"]) == {"day", "night"}
    assert metrics["frames"] == 2
    assert metrics["split"] == "test"
    card = (trained / "model" / "README.md").read_text()
    assert f"{metrics['miou']:.4f}" in card
    assert read_config(trained / "config.yaml").train.steps == 6
    assert not [p for p in trained.rglob(".*") if p.is_file()], "a temporary file was left behind"


def test_report_of_a_run(trained: Path) -> None:
    page = (trained / "report.html").read_text()
    metrics = json.loads((trained / "metrics.json").read_text())
    assert f"<b>{100 * metrics['miou']:.1f} %</b>" in page
    assert page.count("data:image/jpeg;base64,") == 2 * 5  # RGB, thermal, truth, prediction,
    assert page.count("data:image/png;base64,") == 2 * 1  # and errors, of two frames
    assert page.count("<svg") == 3  # loss, mIoU and the published


def test_history_holds_every_validation(trained: Path) -> None:
    history = read_history(trained)
    assert len([row for row in history if "val/miou" in row]) == 3
    assert all("val/miou_auxiliary" in row for row in history if "val/miou" in row)


def test_training_without_a_validation_and_a_test_split(
    mfnet: Path, write_config: WriteConfig
) -> None:
    """The last state is kept, also where the steps are no multiple of the interval."""
    data = {"val": None, "test": None}
    path = write_config(mfnet, data=data, train={"steps": 5, "validations": 2})
    config = read_config(path)
    assert train(config, quiet=True) == {}
    run = Path(config.out)
    assert not (run / "metrics.json").exists()
    state = torch.load(run / "last.ckpt", weights_only=True)
    assert state["global_step"] == 5
    for name, tensor in load_model(run)[0].named_parameters():
        assert torch.equal(tensor, state["state_dict"][f"network.{name}"]), name


def test_resume_continues_where_it_stopped(
    mfnet: Path, write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run killed after its first validation ends with the same number of steps."""
    path = write_config(mfnet, train={"steps": 8, "validations": 4})
    seen = cut_power(monkeypatch, SegmentationTask, 5)
    config = read_config(path)
    with pytest.raises(RuntimeError, match="power cut"):
        train(config)
    assert seen == [0, 1, 2, 3, 4, 5]
    assert not (Path(config.out) / "metrics.json").exists()
    assert main(["train", str(path), "--resume"]) == 0
    assert seen[6:] == [4, 5, 6, 7]
    steps = [row["step"] for row in read_history(Path(config.out)) if "val/miou" in row]
    assert steps == [1, 3, 5, 7]


def test_a_finished_run_is_not_overwritten(
    trained: Path, write_config: WriteConfig, mfnet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_config(mfnet, out=str(trained))
    assert main(["train", str(path)]) == 2
    assert "holds a run already; add --resume" in capsys.readouterr().err
    other = write_config(mfnet, out=str(trained), model={"fusion": "late"})
    assert main(["train", str(other), "--resume"]) == 2
    assert "the run was started with other augment.crop," in capsys.readouterr().err
    nothing = write_config(mfnet)
    assert main(["train", str(nothing), "--resume"]) == 2
    assert "no last.ckpt to resume from" in capsys.readouterr().err


def parameters(run: Path) -> dict[str, torch.Tensor]:
    return dict(load_model(run)[0].named_parameters())


def test_training_starts_from_a_trained_model(
    trained: Path, write_config: WriteConfig, mfnet: Path
) -> None:
    """Without a learning rate, the new run's weights are those it started from."""
    start = str(trained).replace("tiny", "t{seed}ny")
    (trained.parent / "t7ny").symlink_to(trained)
    still = {"start": start, "seed": 7, "steps": 1, "validations": 1, "learning_rate": 0.0}
    config = read_config(write_config(mfnet, train=still))
    train(config, quiet=True)
    before, after = (parameters(folder) for folder in (trained, Path(config.out)))
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"model": {"fusion": "late"}}, "has model.fusion paper, this run late"),
        ({"adapt": "full-separate"}, "has adapt.method full, this run full-separate"),
    ],
)
def test_a_start_of_another_network_is_refused(
    trained: Path,
    write_config: WriteConfig,
    mfnet: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    problem: str,
) -> None:
    path = write_config(mfnet, train={"start": str(trained)}, **changes)
    assert main(["train", str(path)]) == 2
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize("adapt", ["lora", "frozen"])
def test_frozen_random_trunk_is_refused(
    mfnet: Path, write_config: WriteConfig, capsys: pytest.CaptureFixture[str], adapt: str
) -> None:
    path = write_config(mfnet, adapt=adapt, train={"steps": 1, "validations": 1})
    assert main(["train", str(path)]) == 2
    assert "a frozen random network cannot learn" in capsys.readouterr().err
    assert main(["train", str(path), "--adapt.random-ok"]) == 0


@pytest.mark.parametrize(
    "options",
    [
        {"fusion": "late"},
        {"fusion": "rgb"},
        {"auxiliary": "none"},
        {"auxiliary": "deeplab", "prediction": "auxiliary"},
        {"auxiliary": "segformer", "decoder": "frozen"},
    ],
)
def test_variants_through_the_command(
    mfnet: Path,
    write_config: WriteConfig,
    capsys: pytest.CaptureFixture[str],
    options: dict[str, str],
) -> None:
    path = write_config(mfnet, model=options, train={"steps": 1, "validations": 1})
    assert main(["train", str(path), "--loss.cross-entropy", "plain"]) == 0
    out = capsys.readouterr().out
    assert "M parameters" in out
    assert "guardrail" in out


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"model": {"auxiliary": "none", "prediction": "mean"}},
            "model.prediction mean: there is no auxiliary head (model.auxiliary none), so the mask",
        ),
        (
            {"model": {"fusion": "rgb"}, "loss": {"cross_modal": 0.5}},
            "loss.cross_modal: does nothing, since fusion rgb reads one camera",
        ),
        (
            {"data": {"val": "train[80%:]"}},
            "data.train (train) and data.val (train[80%:]) share 1 pair, 00003_00005N: figures on",
        ),
        (
            {"data": {"test": "val"}},
            "data.val (val) and data.test (val) share 2 pairs, first 00003",
        ),
        (
            {
                "data": {
                    "layout": "pairs",
                    "rgb": "rgb",
                    "rig": "resize",
                    "classes": [*"abcdefghi"],
                },
                "model": {"fusion": "rgb"},
            },
            "has no thermal images, so data.thermal_scaling, data.thermal_inverted and data.rig do",
        ),
    ],
    ids=["prediction", "cross_modal", "train and val", "val and test", "cameras"],
)
def test_what_a_run_ignores_is_told(
    mfnet: Path,
    tmp_path: Path,
    write_config: WriteConfig,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    told: str,
) -> None:
    root = mfnet
    if "rgb" in changes.get("data", {}):
        root = tmp_path / "pairs"
        splits = {"train": [0], "val": [1], "test": [2]}
        write_scenes(root, "pairs", splits, seed=3, size=(48, 64))
    assert main(["train", str(write_config(root, **changes)), "--dry-run"]) == 0
    assert told in capsys.readouterr().err


def test_saved_model_of_a_checkpoint_base_is_small_and_complete(
    mfnet: Path, write_config: WriteConfig, tmp_path: Path
) -> None:
    """What the base holds is not stored again, and the loaded network is the trained one."""
    base = tmp_path / "sam2"
    load_sam2("random-micro").save_pretrained(base)
    path = write_config(
        mfnet,
        model={"base": str(base)},
        adapt={"method": "lora", "rank": 2},
        train={"steps": 3, "validations": 1, "learning_rate": 0.01},
    )
    config = read_config(path)
    train(config, quiet=True)
    run = Path(config.out)
    tensors = load_file(run / "model" / "model.safetensors")
    assert any(".a_q" in name for name in tensors)
    assert not any("qkv.qkv" in name or "neck" in name for name in tensors)
    network, _ = load_model(run)
    state = torch.load(run / "last.ckpt", weights_only=True)["state_dict"]
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, state[f"network.{name}"]), name

    torch.manual_seed(99)
    load_sam2("random-micro").save_pretrained(base)
    with pytest.raises(InputError, match=f"trained on other weights of the base {base}"):
        load_model(run)


def test_mixed_precision_clips_gradients(mfnet: Path, write_config: WriteConfig) -> None:
    """What `auto` means on a GPU: Lightning clips no gradients of a fused optimiser there."""
    path = write_config(mfnet, train={"precision": "bf16-mixed"})
    assert main(["train", str(path)]) == 0
    losses = [row["train/loss"] for row in read_history(path.parent / "run") if "train/loss" in row]
    assert losses
    assert np.isfinite(losses).all()


@pytest.mark.realdata
@pytest.mark.slow
def test_real_frames(realdata: Path, write_config: WriteConfig) -> None:
    """A few steps on real frames: everything holds together at full size."""
    root = realdata / "mfnet_mini"
    path = write_config(
        root, augment={"crop": [96, 128]}, train={"steps": 2, "batch_size": 2, "validations": 1}
    )
    assert main(["train", str(path), "--data.val", "val[:25%]", "--data.test", "val[75%:]"]) == 0
    out = Path(yaml.safe_load(path.read_text())["out"])
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["frames"] == 5
    assert 0 < metrics["miou"] < 0.3
