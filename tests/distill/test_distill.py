"""The real command on generated data: pairs, panoramas, resuming, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from jsonschema import Draft202012Validator
from PIL import Image
from safetensors.torch import load_file

import samantic
from samantic.callbacks import read_history
from samantic.checkpoint import load_model
from samantic.cli import main
from samantic.config_files import read_distill_config
from samantic.data import CATALOG, PairedFolder
from samantic.data.synthetic import write_scenes
from samantic.distill.ensemble import Ensemble, keep_masks
from samantic.distill.task import DistillTask
from samantic.distill.teacher import load_teacher
from samantic.metrics import confusion_matrix, scores
from samantic.model_info import read_info
from samantic.models.segformer import build_segformer
from samantic.run import distill

WriteConfig = Callable[..., Path]


@pytest.fixture
def write_distill(tmp_path: Path, mfnet: Path, trained: Path) -> WriteConfig:
    """Write a configuration of a tiny distillation; nested keys are given as dictionaries."""

    def write(**changes: Any) -> Path:
        values: dict[str, Any] = {
            "out": str(tmp_path / "run"),
            "data": {"root": str(mfnet), "workers": 0, "val": "val", "test": "test"},
            "teacher": {"model": str(trained)},
            "masks": {"source": "instances"},
            "student": {"base": "segformer-micro"},
            "train": {"steps": 4, "batch_size": 2, "validations": 2, "precision": "32-true"},
        }
        for key, change in changes.items():
            if isinstance(change, dict):
                values[key] = values.get(key, {}) | change
            else:
                values[key] = change
        path = tmp_path / "distill.yaml"
        path.write_text(yaml.safe_dump(values))
        return path

    return write


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
    schema = Path(__file__).parents[2] / "docs" / "metrics.schema.json"
    Draft202012Validator(json.loads(schema.read_text())).validate(metrics)
    known = json.loads((trained / "metrics.json").read_text())
    assert beside["teacher"]["miou"] == pytest.approx(known["miou"], abs=1e-9)
    gain = beside["differences"]["student"]["difference"]
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


def test_a_frozen_teacher_stays_and_a_joint_one_learns(
    write_distill: WriteConfig, trained: Path, tmp_path: Path
) -> None:
    before = load_file(trained / "model" / "model.safetensors")
    for update in ("frozen", "joint"):
        out = tmp_path / update
        path = write_distill(
            out=str(out), window=32, teacher={"update": update, "learning_rate": 1e-3}
        )
        assert main(["distill", str(path)]) == 0
        state = torch.load(out / "last.ckpt", weights_only=True)["state_dict"]
        if update == "frozen":
            assert not any(name.startswith("teacher.") for name in state)
            assert not (out / "teacher").exists()
            continue
        after = load_file(out / "teacher" / "model.safetensors")
        assert after.keys() == before.keys()
        assert any(not torch.equal(after[name], before[name]) for name in before)
        assert read_info(out / "teacher") == read_info(trained / "model")
        assert {"train/teacher", "train/consistency"} <= logged(out)
    unchanged = load_file(trained / "model" / "model.safetensors")
    assert all(torch.equal(unchanged[name], before[name]) for name in before)


@pytest.mark.parametrize(
    "changes",
    [
        {"masks": {"source": "none"}, "loss": {"targets": "soft"}},
        {"masks": {"source": "instances", "damage": 2.0}, "window": 48},
        {
            "masks": {
                "source": "sam", "base": "random-micro", "side": 3, "quality": -10, "stability": 0,
            },
            "window": 40,
        },
        {"student": {"fusion": "thermal"}, "augment": {"flip": 1.0}},
    ],
    ids=["soft", "damaged", "sam", "thermal"],
)  # fmt: skip
def test_variants(write_distill: WriteConfig, tmp_path: Path, changes: dict[str, Any]) -> None:
    assert main(["distill", str(write_distill(**changes))]) == 0
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    teacher, ensemble = (metrics["distillation"][name]["miou"] for name in ("teacher", "ensemble"))
    without = changes.get("masks", {}).get("source") == "none"
    assert (teacher == ensemble) == without
    assert ("train/boundary" in logged(tmp_path / "run")) != without


@pytest.fixture(scope="session")
def segformer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SegFormer of transformers that names MFNet's classes."""
    folder = tmp_path_factory.mktemp("segformer")
    torch.manual_seed(0)
    network, _ = build_segformer("segformer-micro", 9)
    network.config.id2label = dict(enumerate(CATALOG["mfnet"].classes))
    network.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def panoramas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five generated panoramas of 64x160 in DensePASS's layout; read only."""
    root = tmp_path_factory.mktemp("panoramas")
    splits = {"train": range(3), "val": range(3, 4), "test": range(4, 5)}
    write_scenes(root, "densepass", splits, seed=5, size=(64, 160))
    return root


@pytest.mark.parametrize("update", ["frozen", "joint"])
def test_panoramas(
    write_distill: WriteConfig, panoramas: Path, tmp_path: Path, update: str
) -> None:
    """RGB alone, in windows all around, evaluated without a seam."""
    network, _ = build_segformer("segformer-micro", 19)
    network.config.id2label = dict(enumerate(CATALOG["densepass"].classes))
    network.save_pretrained(tmp_path / "teacher")
    path = write_distill(
        data={"root": str(panoramas), "layout": "densepass"},
        teacher={"model": str(tmp_path / "teacher"), "update": update},
        window=64,
        student={"fusion": "rgb"},
    )
    assert main(["distill", str(path)]) == 0
    run = tmp_path / "run"
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["panorama"] is True
    assert metrics["distillation"]["confident"]["share"] > 0
    page = (run / "report.html").read_text()
    assert "thermal of" not in page


def test_images_that_a_network_cannot_read(
    write_distill: WriteConfig,
    panoramas: Path,
    trained: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A student that wants thermal, and panoramas in which MFNet's classes are not."""
    data = {"root": str(panoramas), "layout": "densepass"}
    assert main(["distill", str(write_distill(data=data))]) == 2
    assert "knows unlabelled, car" in capsys.readouterr().err
    data |= {"layout": "pairs", "rgb": "leftImg8bit/train/cs", "train": "all", "val": None}
    path = write_distill(data=data | {"test": None}, masks={"source": "none"})
    assert main(["distill", str(path)]) == 2
    assert "student.fusion early: reads thermal, and" in capsys.readouterr().err
    assert main(["distill", str(path), "--student.fusion", "rgb"]) == 0


@pytest.mark.parametrize("update", ["frozen", "joint"])
def test_a_segformer_of_transformers_teaches(
    write_distill: WriteConfig, segformer: Path, tmp_path: Path, update: str
) -> None:
    path = write_distill(teacher={"model": str(segformer), "update": update}, window=32)
    assert main(["distill", str(path)]) == 0
    assert (tmp_path / "run" / "teacher").exists() == (update == "joint")
    if update == "joint":
        assert samantic.load(tmp_path / "run" / "teacher").info.model.fusion == "rgb"


def test_a_segformer_answers_as_in_transformers(segformer: Path) -> None:
    from transformers import SegformerForSemanticSegmentation

    from samantic.models.sam import normalise

    teacher = load_teacher(str(segformer))
    assert teacher.info.classes == CATALOG["mfnet"].classes
    rgb = torch.rand(2, 3, 64, 96)
    theirs = SegformerForSemanticSegmentation.from_pretrained(segformer).eval()
    with torch.no_grad():
        small = theirs(normalise(rgb)).logits
        ours = teacher(rgb, None)
    large = torch.nn.functional.interpolate(small, (64, 96), mode="bilinear")
    assert torch.allclose(ours, large, atol=1e-4)


@pytest.mark.parametrize("update", ["frozen", "joint"])
def test_resume(
    write_distill: WriteConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, update: str
) -> None:
    path = write_distill(teacher={"update": update}, train={"steps": 6, "validations": 3})
    seen: list[int] = []
    step = DistillTask.training_step

    def dies_at_three(self: DistillTask, *args: object) -> torch.Tensor:
        seen.append(self.global_step)
        if len(seen) == 4:
            raise RuntimeError("power cut")
        return step(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(DistillTask, "training_step", dies_at_three)
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


def test_a_run_is_not_overwritten_nor_mixed(
    write_distill: WriteConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    short = {"steps": 1, "validations": 1}
    assert main(["distill", str(write_distill(train=short)), "--resume"]) == 2
    assert "no last.ckpt to resume from" in capsys.readouterr().err
    assert main(["distill", str(write_distill(train=short))]) == 0
    capsys.readouterr()
    assert main(["distill", str(write_distill(train=short))]) == 2
    assert "holds a run already; add --resume" in capsys.readouterr().err
    other = write_distill(train=short, window=32)
    assert main(["distill", str(other), "--resume"]) == 2
    assert "has another window" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"teacher": {"model": "nowhere/at/all"}}, "no model here"),
        ({"window": 100}, "window of 100 pixels: the image is 64 wide"),
        ({"masks": {"source": "files", "folder": "nowhere"}}, "no masks of"),
        ({"masks": {"source": "files"}}, "masks.folder belongs to masks.source files"),
        ({"masks": {"source": "magic"}}, "masks.source"),
        ({"teacher": {"update": "sometimes"}}, "teacher.update"),
        ({"loss": {"cover": 2}}, "loss.cover must lie in 0..1"),
        ({"student": {"base": "segformer-b9"}}, "unknown; a student's are"),
        ({"student": {"fusion": "paper"}}, "student.fusion"),
        ({"train": {"teacher": "runs/x"}}, "name the teacher of a distillation in teacher.model"),
        ({"wheels": 4}, "unknown key wheels; `samantic distill --help` lists them"),
    ],
)
def test_bad_input(
    write_distill: WriteConfig,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    message: str,
) -> None:
    assert main(["distill", str(write_distill(**changes))]) == 2
    problem = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in problem
    assert problem.startswith("samantic: ")


def test_a_teacher_of_other_classes(
    write_distill: WriteConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network, _ = build_segformer("segformer-micro", 3)
    network.save_pretrained(tmp_path / "three")
    path = write_distill(teacher={"model": str(tmp_path / "three")})
    assert main(["distill", str(path)]) == 2
    problem = capsys.readouterr().err
    assert ": classes unlabelled, car," in problem
    assert "three knows LABEL_0, LABEL_1, LABEL_2; take a teacher that fits them" in problem


def test_a_segformer_that_does_not_segment(
    write_distill: WriteConfig, segformer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(segformer, tmp_path / "classifier"))
    config = json.loads((folder / "config.json").read_text())
    config["architectures"] = ["SegformerForImageClassification"]
    (folder / "config.json").write_text(json.dumps(config))
    assert main(["distill", str(write_distill(teacher={"model": str(folder)}))]) == 2
    assert "a SegFormer that does not segment" in capsys.readouterr().err


def test_images_of_several_sizes(
    write_distill: WriteConfig, mfnet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Path(shutil.copytree(mfnet, tmp_path / "data"))
    first = (root / "train.txt").read_text().split()[0]
    path = root / "images" / f"{first}.png"
    with Image.open(path) as image:
        image.resize((96, 64)).save(path)
    config = write_distill(
        data={"root": str(root), "val": None, "test": None},
        masks={"source": "none"},
        train={"batch_size": 6},
    )
    assert main(["distill", str(config)]) == 2
    assert "to one size, or set augment.crop or train.batch_size 1" in capsys.readouterr().err
    shared = ["--masks.cache", str(tmp_path / "shared")]
    ways = [["--train.batch-size", "1", *shared], ["--augment.crop", "[48,64]", *shared]]
    for number, words in enumerate(ways):
        out = str(tmp_path / f"run{number}")
        assert main(["distill", str(config), *words, "--out", out]) == 0
    (folder,) = (tmp_path / "shared").iterdir()
    assert len(list(folder.iterdir())) == len((root / "train.txt").read_text().split())


def test_names_of_classes_come_from_the_teacher(
    write_distill: WriteConfig, segformer: Path, tmp_path: Path
) -> None:
    """Folders of one's own need name no classes."""
    for kind in ("rgb", "thermal"):
        (tmp_path / "own" / kind).mkdir(parents=True)
        for index in range(2):
            shape = (48, 64, 3) if kind == "rgb" else (48, 64)
            pixels = np.random.default_rng(index).integers(0, 256, shape, np.uint8)
            Image.fromarray(pixels).save(tmp_path / "own" / kind / f"{index}.png")
    path = write_distill(
        data={
            "root": str(tmp_path / "own"), "layout": "pairs", "train": "all", "val": None,
            "test": None,
        },
        teacher={"model": str(segformer)},
        masks={"source": "none"},
    )  # fmt: skip
    assert main(["distill", str(path)]) == 0
    assert read_info(tmp_path / "run" / "model").classes == CATALOG["mfnet"].classes


def test_help_lists_every_key(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(["distill", "--help"])
    assert done.value.code == 0
    text = capsys.readouterr().out
    for key in ("teacher.model", "masks.source", "window", "loss.cover", "augment.roll"):
        assert f"--{key}" in text
