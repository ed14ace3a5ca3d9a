"""`samantic distill` on pairs and panoramas: the run folder, its end, and resuming."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from jsonschema import Draft202012Validator
from PIL import Image

import samantic
from samantic.cli import main
from samantic.config.read import read_distill_config
from samantic.data import PairedFolder
from samantic.distill.ensemble import Ensemble, keep_masks
from samantic.distill.task import DistillTask
from samantic.distill.teacher import load_teacher
from samantic.learn.history import read_history
from samantic.metrics import confusion_matrix, scores
from samantic.predict.info import read_info
from samantic.predict.model_folder import load_model
from samantic.run.distill import distill
from tests.helpers import cut_power, save_segformer

WriteConfig = Callable[..., Path]
SCHEMA = Path(__file__).parents[2] / "docs" / "metrics.schema.json"


def logged(run: Path) -> set[str]:
    return {key for row in read_history(run) for key in row}


def test_pairs(write_distill: WriteConfig, trained: Path, mfnet: Path, tmp_path: Path) -> None:
    """The run folder is that of a training, with teacher and ensemble beside the student."""
    assert main(["distill", str(write_distill())]) == 0
    run = tmp_path / "run"
    for name in ("config.yaml", "metrics.json", "last.ckpt", "report.html", "model/config.json"):
        assert (run / name).stat().st_size > 0
    assert not (run / "targets").exists()
    assert not (run / "teacher").exists()
    metrics = json.loads((run / "metrics.json").read_text())
    beside = metrics["distillation"]
    assert beside["student"]["miou"] == metrics["miou"]
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(metrics)
    known = json.loads((trained / "metrics.json").read_text())
    assert beside["teacher"]["miou"] == pytest.approx(known["miou"], abs=1e-9)
    assert list(beside["differences"]) == ["teacher"]
    gain = beside["differences"]["teacher"]["student"]["difference"]
    assert gain == pytest.approx(metrics["miou"] - known["miou"], abs=1e-9)
    assert {"train/whole", "train/window", "train/boundary", "val/miou"} <= logged(run)
    assert not {"train/teacher", "train/consistency"} & logged(run)
    page = (run / "report.html").read_text()
    assert '<a href="#beside-the-teacher">Beside the teacher</a>' in page
    assert '<h2 id="beside-the-teacher">Beside the teacher</h2>' in page
    assert "confident part of" in page
    card = (run / "model" / "README.md").read_text()
    assert "Distilled without labels, after GoodSAM" in card
    assert str(trained) in card
    words = ["evaluate", str(run), "--data", str(mfnet), "--layout", "mfnet", "--split", "test"]
    assert main([*words, "--out", str(tmp_path / "again")]) == 0
    again = json.loads((tmp_path / "again" / "metrics.json").read_text())
    assert again["miou"] == pytest.approx(metrics["miou"], abs=1e-6)
    assert "distillation" not in again


def test_without_any_label(write_distill: WriteConfig, mfnet: Path, tmp_path: Path) -> None:
    """No label file is there to be read; the last state is kept, and the page shows the lessons."""
    root = Path(shutil.copytree(mfnet, tmp_path / "data"))
    shutil.rmtree(root / "labels")
    path = write_distill(
        data={"root": str(root), "val": None, "test": None}, train={"steps": 5, "validations": 2}
    )
    config = read_distill_config(path)
    assert distill(config, quiet=True) == {}
    run = tmp_path / "run"
    assert not (run / "metrics.json").exists()
    assert "What the student learnt from" in (run / "report.html").read_text()
    state = torch.load(run / "last.ckpt", weights_only=True)
    assert state["global_step"] == 5
    for name, tensor in load_model(run)[0].state_dict().items():
        assert torch.equal(tensor, state["state_dict"][f"network.{name}"]), name
    assert samantic.load(run).predict(rgb=np.zeros((48, 64, 3), np.uint8)).labels.shape == (48, 64)


def test_teacher_and_ensemble_are_counted_image_by_image(
    write_distill: WriteConfig, trained: Path, mfnet: Path, tmp_path: Path
) -> None:
    assert main(["distill", str(write_distill())]) == 0
    beside = json.loads((tmp_path / "run" / "metrics.json").read_text())["distillation"]
    config = read_distill_config(tmp_path / "run" / "config.yaml")
    pairs = PairedFolder(mfnet, "mfnet", "test")
    masks = keep_masks(config, pairs)
    ensemble = Ensemble(load_teacher(str(trained)), masks, config.loss, torch.device("cpu"))
    total, inside, right = torch.zeros(9, 9, dtype=torch.int64), 0, 0
    for index in range(len(pairs)):
        sample = pairs[index]
        assert sample.labels is not None
        answer = ensemble.answer(sample)
        total += confusion_matrix(answer.ensemble, sample.labels, 9)
        inside += int((answer.confident != 255).sum())
        right += int((answer.confident == sample.labels).sum())
    assert beside["ensemble"]["miou"] == pytest.approx(scores(total).miou, abs=1e-9)
    assert beside["confident"]["accuracy"] == pytest.approx(right / inside)
    assert beside["confident"]["share"] == pytest.approx(inside / (2 * 48 * 64))


@pytest.mark.parametrize(
    "changes",
    [
        {
            "masks": {"source": "none"}, "loss": {"targets": "soft"},
            "augment": {"crop": [32, 48]},
        },
        {"masks": {"source": "instances", "damage": 2.0}, "window": 48},
        {
            "masks": {
                "source": "sam", "base": "random-micro", "side": 3, "quality": 0, "stability": 0,
            },
            "window": 40,
        },
        {"student": {"fusion": "thermal"}, "augment": {"flip": 1.0}},
    ],
    ids=["soft", "damaged", "sam", "thermal"],
)  # fmt: skip
def test_variants(
    write_distill: WriteConfig,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
) -> None:
    assert main(["distill", str(write_distill(**changes))]) == 0
    crops = "crop" in changes.get("augment", {})
    assert ("pairs, crops of 32x48" if crops else "pairs, whole images") in capsys.readouterr().out
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    teacher, ensemble = (metrics["distillation"][name]["miou"] for name in ("teacher", "ensemble"))
    without = changes.get("masks", {}).get("source") == "none"
    assert (teacher == ensemble) == without
    assert ("train/boundary" in logged(tmp_path / "run")) != without


@pytest.mark.parametrize("window", [64, [48, 64]])
@pytest.mark.parametrize("update", ["frozen", "joint"])
def test_panoramas(
    write_distill: WriteConfig, panoramas: Path, tmp_path: Path, update: str, window: Any
) -> None:
    """RGB alone, in windows all around, in one row or in two, evaluated without a seam."""
    save_segformer(tmp_path / "teacher", "densepass")
    path = write_distill(
        data={"root": str(panoramas), "layout": "densepass"},
        teacher={"model": str(tmp_path / "teacher"), "update": update},
        window=window,
        student={"fusion": "rgb"},
    )
    assert main(["distill", str(path)]) == 0
    run = tmp_path / "run"
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["panorama"] is True
    assert read_info(run / "model").view == (64, 160)  # it learnt from whole panoramas
    beside = metrics["distillation"]
    assert beside["confident"]["share"] > 0
    gain = beside["differences"]["whole"]["student"]["difference"]
    assert gain == pytest.approx(metrics["miou"] - beside["whole"]["miou"], abs=1e-9)
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(metrics)
    if update == "joint":  # the teacher is a model like others
        words = ["evaluate", str(run / "teacher"), "--data", str(panoramas), "--panorama"]
        words += ["--layout", "densepass", "--split", "test", "--out", str(tmp_path / "whole")]
        assert main(words) == 0
        whole = json.loads((tmp_path / "whole" / "metrics.json").read_text())
        assert beside["whole"]["miou"] == pytest.approx(whole["miou"], abs=1e-9)
    page = (run / "report.html").read_text()
    assert "thermal of" not in page
    assert "teacher, whole panoramas" in page


@pytest.mark.parametrize("size", [None, 48])
def test_a_student_of_panoramas_is_selected_by_what_is_reported(
    write_distill: WriteConfig, panoramas: Path, tmp_path: Path, size: int | None
) -> None:
    """The last validation of a split is its evaluation, around the panoramas' edge."""
    save_segformer(tmp_path / "teacher", "densepass")
    path = write_distill(
        data={"root": str(panoramas), "layout": "densepass", "test": "val", "eval_size": size},
        teacher={"model": str(tmp_path / "teacher")},
        student={"fusion": "rgb"},
        window=64,
        train={"steps": 2, "validations": 1},
    )
    assert main(["distill", str(path)]) == 0
    miou = json.loads((tmp_path / "run" / "metrics.json").read_text())["miou"]
    (selected,) = [row["val/miou"] for row in read_history(tmp_path / "run") if "val/miou" in row]
    assert selected == pytest.approx(miou, abs=1e-6)


@pytest.mark.parametrize("update", ["frozen", "joint"])
def test_resume(
    write_distill: WriteConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, update: str
) -> None:
    path = write_distill(teacher={"update": update}, train={"steps": 6, "validations": 3})
    seen = cut_power(monkeypatch, DistillTask, 3)
    with pytest.raises(RuntimeError, match="power cut"):
        distill(read_distill_config(path), quiet=True)
    assert (tmp_path / "run" / "targets").exists() == (update == "frozen")
    assert main(["distill", str(path), "--resume"]) == 0
    assert seen == [0, 1, 2, 3, 2, 3, 4, 5]
    assert (tmp_path / "run" / "metrics.json").exists()


def test_stale_targets_go(write_distill: WriteConfig, tmp_path: Path) -> None:
    """Targets that a stopped run made with other options are not learnt from."""
    stale = tmp_path / "run" / "targets" / "about.json"
    stale.parent.mkdir(parents=True)
    stale.write_text(json.dumps({"loss": "another"}))
    (stale.parent / "00000D.npz").write_text("no longer right")
    assert main(["distill", str(write_distill())]) == 0


def test_help_lists_every_key(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(["distill", "--help-all"])
    assert done.value.code == 0
    text = capsys.readouterr().out
    for key in ("teacher.model", "masks.source", "window", "loss.cover", "augment.roll"):
        assert f"--{key}" in text


def targets_of(folder: Path) -> list[Path]:
    return sorted(folder.glob("targets-*/*.npz"))


def test_what_runs_share_is_made_anew_for_other_images(
    write_distill: WriteConfig, mfnet: Path, trained: Path, tmp_path: Path
) -> None:
    """Masks and targets in a shared folder are those of the images as they are now."""
    root = Path(shutil.copytree(mfnet, tmp_path / "data"))
    shared = tmp_path / "shared"
    data = {"root": str(root), "val": None, "test": None}
    path = str(
        write_distill(data=data, masks={"cache": str(shared)}, train={"steps": 1, "validations": 1})
    )
    for number, kept in enumerate((6, 6, 7, 8, 8)):
        if number == 2:  # another image of the same name
            name = (root / "train.txt").read_text().split()[0]
            shutil.copy(root / "images" / f"{name}.png", tmp_path / "old.png")
            with Image.open(tmp_path / "old.png") as image:
                image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(
                    root / "images" / f"{name}.png"
                )
        if number == 3:  # other masks of the same image
            ids = np.zeros((48, 64), np.uint16)
            ids[10:30, 10:30] = 1
            Image.fromarray(ids).save(root / "instances" / f"{name}.png")
        words = ["--out", str(tmp_path / f"run{number}")]
        if number == 4:  # the same teacher, which sees images in another size
            info = json.loads((trained / "model" / "config.json").read_text()) | {"eval_size": 96}
            teacher = Path(shutil.copytree(trained / "model", tmp_path / "teacher"))
            (teacher / "config.json").write_text(json.dumps(info))
            words += ["--teacher.model", str(teacher)]
        assert main(["distill", path, *words]) == 0
        assert len(list(shared.glob("*/masks/*.json"))) == kept
        assert len(targets_of(shared)) == kept + (6 if number == 4 else 0)
