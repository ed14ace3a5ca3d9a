"""A student through the real commands: it trains, evaluates and predicts as SARTM does."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import samantic
from samantic.cli import main
from samantic.config import AdaptConfig, StudentConfig
from samantic.config.read import read_config
from samantic.data import CATALOG
from samantic.errors import InputError
from samantic.learn.history import read_history
from samantic.learn.task import SegmentationTask
from samantic.models import SARTM, Student
from samantic.models.build import build
from samantic.models.students.segformer_parts import build_segformer
from samantic.models.students.shapes import SEGFORMERS
from samantic.predict.info import read_info
from samantic.predict.model_folder import load_model
from samantic.run.train import train
from tests.helpers import cut_power

WriteConfig = Callable[..., Path]


@pytest.fixture
def write_student(write_config: WriteConfig) -> WriteConfig:
    """Write the configuration of a tiny student's run."""

    def write(root: Path, model: dict[str, Any] | None = None, **changes: Any) -> Path:
        options = {"network": "student", "base": "segformer-micro", **(model or {})}
        return write_config(root, model=options, **changes)

    return write


@pytest.fixture(scope="module")
def student(mfnet: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a tiny student with modality dropout."""
    out = tmp_path_factory.mktemp("student") / "small"
    config = out.parent / "config.yaml"
    config.write_text(
        f"""
out: {out}
data: {{root: {mfnet}, workers: 0}}
model: {{network: student, base: segformer-micro}}
augment: {{crop: [32, 48], modality_dropout: 0.4}}
train: {{steps: 6, batch_size: 2, validations: 3, learning_rate: 0.003}}
"""
    )
    assert main(["train", str(config)]) == 0
    return out


def test_run_folder(student: Path) -> None:
    """Every file of a run, whose card and report name what it is."""
    metrics = json.loads((student / "metrics.json").read_text())
    assert list(metrics["iou"])[:2] == ["unlabelled", "car"]
    card = (student / "model" / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: samantic\n")
    assert "# SegFormer on MFNet" in card
    assert "arXiv 2105.15203" in card
    assert "SARTM" not in card
    assert "SAM2" not in card
    assert f"{metrics['miou']:.4f}" in card
    page = (student / "report.html").read_text()
    assert "segformer-micro" in page
    assert "early" in page
    validated = [row for row in read_history(student) if "val/miou" in row]
    assert len(validated) == 3
    assert not any("auxiliary" in key for row in read_history(student) for key in row)


def test_robustness_of_a_student(student: Path, mfnet: Path, tmp_path: Path) -> None:
    out = tmp_path / "robust"
    words = ["--data", str(mfnet), "--layout", "mfnet", "--split", "test", "--robustness"]
    assert main(["evaluate", str(student), *words, "--out", str(out)]) == 0
    metrics = json.loads((out / "metrics.json").read_text())
    before = json.loads((student / "metrics.json").read_text())
    assert metrics["miou"] == pytest.approx(before["miou"], abs=1e-6)
    assert all(value is not None for value in metrics["robustness"].values())


def test_predict(student: Path, mfnet: Path, tmp_path: Path) -> None:
    """By the command and in Python, with both images and with either."""
    rgbt = np.asarray(Image.open(next((mfnet / "images").iterdir())))
    rgb, thermal = rgbt[..., :3].copy(), rgbt[..., 3].copy()
    Image.fromarray(rgb).save(tmp_path / "rgb.png")
    words = ["predict", str(student), "--rgb", str(tmp_path / "rgb.png")]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    written = np.asarray(Image.open(tmp_path / "out" / "labels" / "rgb.png"))
    model = samantic.load(student, device="cpu")
    assert np.array_equal(model.predict(rgb=rgb).labels, written)
    pairs = [model.predict(rgb, thermal), model.predict(thermal=thermal), model.predict(rgb)]
    assert {pair.labels.shape for pair in pairs} == {rgb.shape[:2]}
    assert not np.array_equal(pairs[0].confidence, pairs[2].confidence)
    with pytest.raises(InputError, match="at least 32x32 pixels, got 20x64"):
        model.predict(rgb[:20], thermal[:20])


def test_the_saved_model_is_the_trained_one_and_needs_no_base(
    mfnet: Path, write_student: WriteConfig, tmp_path: Path
) -> None:
    """All of it is stored, with the statistics of its norm."""
    base = tmp_path / "base"
    build_segformer("segformer-micro", 4)[0].save_pretrained(base)
    path = write_student(
        mfnet, {"base": str(base), "fusion": "thermal"}, train={"steps": 2, "validations": 1}
    )
    assert main(["train", str(path)]) == 0
    shutil.rmtree(base)
    network, info = load_model(tmp_path / "run")
    assert network.modalities == ("thermal",)
    assert info.shape == SEGFORMERS["segformer-micro"]
    state = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)["state_dict"]
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, state[f"network.{name}"]), name
    stored = load_file(tmp_path / "run" / "model" / "model.safetensors")
    assert stored["decode_head.batch_norm.num_batches_tracked"] == 2


def test_resume(mfnet: Path, write_student: WriteConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_student(mfnet, train={"steps": 6, "validations": 3})
    seen = cut_power(monkeypatch, SegmentationTask, 3)
    with pytest.raises(RuntimeError, match="power cut"):
        train(read_config(path))
    assert main(["train", str(path), "--resume"]) == 0
    assert seen == [0, 1, 2, 3, 2, 3, 4, 5]


def test_training_starts_from_a_trained_student(
    student: Path, write_student: WriteConfig, mfnet: Path, tmp_path: Path
) -> None:
    still = {"start": str(student), "steps": 1, "validations": 1, "learning_rate": 0.0}
    assert main(["train", str(write_student(mfnet, train=still))]) == 0
    before, after = (
        dict(load_model(run)[0].named_parameters()) for run in (student, tmp_path / "run")
    )
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_start_of_the_other_network_is_refused(
    student: Path,
    trained: Path,
    write_config: WriteConfig,
    write_student: WriteConfig,
    mfnet: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["train", str(write_student(mfnet, train={"start": str(trained)}))]) == 2
    assert "has model.network sartm, this run student; set" in capsys.readouterr().err
    assert main(["train", str(write_config(mfnet, train={"start": str(student)}))]) == 2
    assert "has model.network student, this run sartm; set" in capsys.readouterr().err


def test_a_start_alone_leads_to_its_network(
    mfnet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The default base is neither fetched nor named: the start is of another network."""
    config = tmp_path / "c.yaml"
    config.write_text(f"{{out: {tmp_path / 'run'}, data: {{root: {mfnet}}}, train: {{steps: 1}}}}")
    words = ["train", str(config), "--train.start", "nano"]
    assert main(words) == 2
    line = capsys.readouterr().err.strip()
    assert line.startswith(
        "samantic: nano: has model.network student, this run sartm; set the same"
    )
    offered = shlex.split(line.partition("`samantic ")[2].partition("`")[0])
    assert offered[: len(words)] == words
    assert offered[len(words) :][:4] == [
        *("--model.network", "student", "--model.base", "efficientnet-lite0")
    ]
    assert "facebook" not in line
    assert not list(tmp_path.glob("run/*.ckpt"))


def test_every_loss_term_reaches_a_student(
    mfnet: Path, write_student: WriteConfig, tmp_path: Path
) -> None:
    """Language and prototypes pool its stride-16 map, each modality learns from both."""
    names = np.array(CATALOG["mfnet"].classes)
    np.savez(tmp_path / "text.npz", names=names, embeddings=np.random.rand(len(names), 4))
    path = write_student(
        mfnet,
        text={"source": str(tmp_path / "text.npz")},
        loss={"language": 1.0, "prototype": 1.0, "cross_modal": 0.5},
    )
    assert main(["train", str(path)]) == 0
    logged = {key for row in read_history(tmp_path / "run") for key in row}
    assert {f"train/{t}" for t in ("mask", "language", "prototype", "cross_modal")} <= logged
    assert "val/alignment" in logged


def test_models_saved_before_there_were_students_load(trained: Path, tmp_path: Path) -> None:
    folder = tmp_path / "old"
    shutil.copytree(trained / "model", folder)
    values = json.loads((folder / "config.json").read_text())
    del values["model"]["network"], values["shape"]
    (folder / "config.json").write_text(json.dumps(values))
    assert isinstance(load_model(folder)[0], SARTM)


def test_a_config_json_that_does_not_fit(student: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(student / "model", folder)
    whole = json.loads((folder / "config.json").read_text())
    for shape, problem in (
        ({"widths": [8]}, "not a samantic model"),
        (whole["shape"] | {"depths": [1, 2, 1, 1]}, "does not fit config.json"),
    ):
        (folder / "config.json").write_text(json.dumps(whole | {"shape": shape}))
        with pytest.raises(InputError, match=problem):
            load_model(folder)


def test_options_are_checked_in_python_too(student: Path) -> None:
    info = read_info(student / "model")
    assert isinstance(build(info.model, info.adapt, len(info.classes)), Student)
    with pytest.raises(InputError, match=r"model\.fusion paper does not fit model.network student"):
        StudentConfig("segformer-micro", "paper")
    with pytest.raises(InputError, match=r"adapt\.method lora does not fit model.network student"):
        build(info.model, AdaptConfig("lora"), len(info.classes))


def test_a_teacher_beside_the_labels(
    student: Path, mfnet: Path, write_config: WriteConfig, tmp_path: Path, capsys: Any
) -> None:
    """It teaches SARTM's heads, stays as it is, and must know the same classes."""
    path = write_config(mfnet, train={"steps": 10, "validations": 1, "teacher": str(student)})
    before = (student / "model" / "model.safetensors").read_bytes()
    assert main(["train", str(path)]) == 0
    terms = [row for row in read_history(tmp_path / "run") if "train/teacher" in row]
    assert all(row["train/teacher"] > 0 for row in terms)
    assert terms
    assert (student / "model" / "model.safetensors").read_bytes() == before
    stored = load_file(tmp_path / "run" / "model" / "model.safetensors")
    assert not any(name.startswith("teacher") for name in stored)
    state = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)["state_dict"]
    assert not any(name.startswith("teacher.") for name in state)
    assert main(["train", str(path), "--resume", "--train.steps", "12"]) == 0
    words = ["--data.layout", "pairs", "--data.classes", "[a, b]", "--out", str(tmp_path / "other")]
    words += ["--data.rgbt", "images", "--data.rgb", "null", "--data.thermal", "null"]
    assert main(["train", str(path), *words]) == 2
    assert "knows unlabelled, car" in capsys.readouterr().err
