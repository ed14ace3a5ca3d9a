"""Every YAML that ships runs, on a micro base and generated data in its own layout."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from samantic.cli import main
from samantic.config_files import read_config, read_distill_config
from samantic.data import CATALOG
from samantic.data.synthetic import write_scenes
from tests.helpers import save_segformer

ROOT = Path(__file__).parents[2]
DISTILLED = sorted(ROOT.glob("configs/goodsam_*.yaml"))
CONFIGS = sorted({*ROOT.glob("configs/*.yaml"), *ROOT.glob("training/*.yaml")} - {*DISTILLED})


@pytest.mark.parametrize("shipped", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configurations_train(shipped: Path, tmp_path: Path) -> None:
    """Every YAML, on a micro base and generated data in its own layout, for one step."""
    config = read_config(shipped)
    layout = config.data.layout
    micro = {"sartm": "random-micro", "student": "segformer-micro"}[config.model.network]
    splits = {"train": range(10), "val": range(10, 15), "test": range(15, 17)}
    write_scenes(tmp_path / "data", layout, splits, seed=1, size=(64, 96))
    changes = {
        "out": tmp_path / "run",
        "data.root": tmp_path / "data",
        "data.workers": 0,
        "model.base": micro,
        "train.start": "null",
        "train.teacher": "null",
        "adapt.random-ok": "true",
        "augment.crop": "[64,96]",
        "train.steps": 1,
        "train.batch-size": 2,
        "train.precision": "32-true",
    }
    if config.text.source:  # in place of a language model
        names = np.array(CATALOG[layout].classes)
        np.savez(tmp_path / "text.npz", names=names, embeddings=np.random.rand(len(names), 4))
        changes["text.source"] = tmp_path / "text.npz"
    if layout == "pairs":
        changes["data.classes"] = f"[{', '.join(CATALOG['mfnet'].classes)}]"
    words = [f"--{key}={value}" for key, value in changes.items()]
    assert main(["train", str(shipped), *words]) == 0
    assert (tmp_path / "run" / "metrics.json").exists()


@pytest.mark.parametrize("shipped", DISTILLED, ids=lambda path: path.stem)
def test_shipped_configurations_distil(shipped: Path, tmp_path: Path) -> None:
    """The same for every YAML of a distillation, from a micro teacher."""
    config = read_distill_config(shipped)
    splits = {"train": range(3), "val": range(3, 5), "test": range(5, 6)}
    write_scenes(tmp_path / "data", config.data.layout, splits, seed=1, size=(64, 160))
    save_segformer(tmp_path / "teacher", config.data.layout)
    changes = {
        "out": tmp_path / "run",
        "data.root": tmp_path / "data",
        "data.workers": 0,
        "teacher.model": tmp_path / "teacher",
        "window": 64 if config.window else "null",
        "masks.base": "random-micro",
        "masks.cache": "null",
        "masks.side": 4,
        "student.base": "segformer-micro",
        "train.start": "null",
        "train.steps": 1,
        "train.precision": "32-true",
    }
    words = [f"--{key}={value}" for key, value in changes.items()]
    assert main(["distill", str(shipped), *words]) == 0
    assert "distillation" in json.loads((tmp_path / "run" / "metrics.json").read_text())
