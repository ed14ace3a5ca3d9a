"""Every example, as a user would run it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(name: str, *words: Path) -> str:
    command = [sys.executable, "-W", "ignore", str(EXAMPLES / name), *map(str, words)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.slow
def test_train_then_predict(tmp_path: Path) -> None:
    assert "test pairs" in run("01_train.py", tmp_path)
    image = sorted((tmp_path / "data" / "images").iterdir())[0]
    told = run("02_predict.py", tmp_path / "run", image)
    assert [line.split(":")[0] for line in told.splitlines()] == ["both", "rgb", "thermal"]
    overlays = tmp_path / "run" / "predictions" / "overlays"
    assert len(list(overlays.iterdir())) == 3
    with Image.open(overlays / f"{image.stem}_both.png") as overlay:
        assert overlay.size == (96, 64)


def test_own_data(tmp_path: Path) -> None:
    recording = tmp_path / "drive"
    recording.mkdir()
    rng = np.random.default_rng(0)
    for name in (f"{i:03d}" for i in range(10)):
        for kind, shape in (("rgb", (32, 40, 3)), ("thermal", (32, 40)), ("labels", (32, 40))):
            pixels = rng.integers(0, 3 if kind == "labels" else 256, shape, dtype=np.uint8)
            Image.fromarray(pixels).save(recording / f"{name}_{kind}.png")
    told = run("03_own_data.py", recording, tmp_path / "mine")
    assert "train: 7 pairs of (32, 40) pixels" in told
    assert "test: 2 pairs" in told
