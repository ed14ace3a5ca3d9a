"""What `samantic distill` refuses, in one line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from samantic.cli import main

WriteConfig = Callable[..., Path]


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
    assert "the run was started with other window (window None, now 32)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"teacher": {"model": "nowhere/at/all"}}, "no model here"),
        ({"window": 100}, "window of 100 pixels: the image is 64 wide"),
        ({"window": [50, 32]}, "window of a height of 50 pixels: the image is 48 high"),
        ({"window": [20, 40]}, "window is (20, 40); it must be a whole number in 32.."),
        ({"window": [32, 32, 32]}, "window"),
        ({"masks": {"source": "files", "folder": "nowhere"}}, "no masks of"),
        ({"masks": {"source": "files"}}, "masks.folder belongs to masks.source files"),
        ({"masks": {"source": "magic"}}, "masks.source"),
        ({"teacher": {"update": "sometimes"}}, "teacher.update"),
        ({"loss": {"cover": 2}}, "loss.cover is 2.0; it must be a number in 0..1"),
        ({"student": {"base": "segformer-b9"}}, "unknown; a student's are"),
        ({"student": {"fusion": "paper"}}, "student.fusion"),
        ({"train": {"teacher": "runs/x"}}, "name the teacher of a distillation in teacher.model"),
        ({"wheels": 4}, "unknown key wheels; `samantic distill --help-all` lists every key"),
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


def test_a_teacher_that_learns_by_parts_is_not_magnified(
    write_distill: WriteConfig, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its evaluation size is that of whole images: parts would be shown in another size."""
    teacher = Path(shutil.copytree(trained / "model", tmp_path / "teacher"))
    info = json.loads((teacher / "config.json").read_text())
    (teacher / "config.json").write_text(json.dumps(info | {"eval_size": 96}))
    joint = {"model": str(teacher), "update": "joint"}
    short = {"steps": 1, "validations": 1}
    path = write_distill(teacher=joint, augment={"crop": [32, 32]}, train=short)
    assert main(["distill", str(path)]) == 2
    assert "at a short side of 96 pixels, and a teacher that is trained" in capsys.readouterr().err
    for words in ("--augment.crop null", "--teacher.update frozen"):
        out = str(tmp_path / words.split(".")[-1])
        assert main(["distill", str(path), *words.split(), "--out", out]) == 0


def test_a_range_in_another_unit(
    write_distill: WriteConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["distill", str(write_distill()), "--data.thermal-scaling=26800,32000"]) == 2
    problem = capsys.readouterr().err.strip().splitlines()[-1]
    assert "6 of 6 images become 0 or 1" in problem


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
