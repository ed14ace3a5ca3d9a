"""Who teaches: models of one's own and of transformers, frozen or learning."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import samantic
from samantic.cli import main
from samantic.config.data import DataConfig
from samantic.config.scaling import parse_scaling
from samantic.data import CATALOG
from samantic.data.camera import Camera
from samantic.distill.task import DistillTask
from samantic.distill.teacher import load_teacher
from samantic.learn.history import read_history
from samantic.models.students.segformer_parts import build_segformer
from samantic.predict.info import read_info
from samantic.run.data import open_splits
from samantic.run.student import taken_over
from tests.helpers import info_of

WriteConfig = Callable[..., Path]


@pytest.mark.parametrize(
    ("data", "scaling"),
    [
        ({}, "inverted:8-bit"),
        ({"thermal_scaling": "frame", "thermal_inverted": True}, "inverted:frame"),
        ({"thermal_scaling": "inverted:frame"}, "inverted:frame"),
        ({"thermal_scaling": "frame"}, "frame"),
    ],
)
def test_hot_is_bright_where_the_configuration_says_so(
    mfnet: Path, capsys: pytest.CaptureFixture[str], data: dict[str, Any], scaling: str
) -> None:
    """The teacher's own files may have been black-hot."""
    camera = Camera(parse_scaling("inverted:8-bit"))
    given = DataConfig(
        str(mfnet), **{"thermal_scaling": "teacher", "val": None, "test": None} | data
    )
    taken = taken_over(given, replace(info_of("paper"), camera=camera))
    told = capsys.readouterr().err
    assert ("hot is dark, and in these, by data.thermal_inverted false" in told) == (
        scaling == "frame"
    )
    splits = open_splits(taken, camera=camera, labelled=False)
    assert str(splits["train"].camera.scaling) == scaling


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
        logged = {key for row in read_history(out) for key in row}
        assert {"train/teacher", "train/consistency"} <= logged
    unchanged = load_file(trained / "model" / "model.safetensors")
    assert all(torch.equal(unchanged[name], before[name]) for name in before)


def test_what_does_not_answer_does_not_learn(
    write_distill: WriteConfig, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A teacher that answers by its mask head keeps its auxiliary head as it was."""
    silent: list[str] = []

    def look(task: DistillTask) -> None:
        named = task.named_parameters()
        silent.extend(name for name, p in named if p.requires_grad and p.grad is None)

    monkeypatch.setattr(DistillTask, "on_after_backward", look)
    teacher = {"update": "joint", "learning_rate": 1e-3}
    assert main(["distill", str(write_distill(teacher=teacher))]) == 0
    assert silent == []
    before = load_file(trained / "model" / "model.safetensors")
    after = load_file(tmp_path / "run" / "teacher" / "model.safetensors")
    learnt = {n.split(".")[0] for n in before if not torch.equal(after[n], before[n])}
    assert learnt == {"mask_head", "fusion", "encoders"}


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

    from samantic.models.encoders.encoder import normalise

    teacher = load_teacher(str(segformer))
    assert teacher.info.classes == CATALOG["mfnet"].classes
    rgb = torch.rand(2, 3, 64, 96)
    theirs = SegformerForSemanticSegmentation.from_pretrained(segformer).eval()
    with torch.no_grad():
        small = theirs(normalise(rgb)).logits
        ours = teacher(rgb=rgb)
    large = torch.nn.functional.interpolate(small, (64, 96), mode="bilinear")
    assert torch.allclose(ours, large, atol=1e-4)


def test_a_teacher_of_other_classes(
    write_distill: WriteConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network, _ = build_segformer("segformer-micro", 3)
    network.save_pretrained(tmp_path / "three")
    path = write_distill(teacher={"model": str(tmp_path / "three")})
    assert main(["distill", str(path)]) == 2
    problem = capsys.readouterr().err
    assert ": classes unlabelled, car," in problem
    differ = "(9 and 3, first label 0 is 'unlabelled' and 'LABEL_0')"
    assert f"three knows LABEL_0, LABEL_1, LABEL_2 {differ}; take a teacher that fits" in problem


def test_a_segformer_that_does_not_segment(
    write_distill: WriteConfig, segformer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(segformer, tmp_path / "classifier"))
    config = json.loads((folder / "config.json").read_text())
    config["architectures"] = ["SegformerForImageClassification"]
    (folder / "config.json").write_text(json.dumps(config))
    assert main(["distill", str(write_distill(teacher={"model": str(folder)}))]) == 2
    assert "a SegFormer without a segmentation head" in capsys.readouterr().err


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
