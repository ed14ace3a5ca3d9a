"""Every example, as a user would run it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.helpers import end_of_script, run_script

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(name: str, *words: Path) -> str:
    return run_script(EXAMPLES / name, *words)


def refused(name: str, *words: object) -> str:
    """The one line with which an example ends on bad input; no process of its own, for speed."""
    status, out, told = end_of_script(EXAMPLES / name, *words)
    assert status == 2
    assert told.count("\n") == 1, told
    assert told.startswith(f"{name}: ")
    assert not out
    return told


@pytest.mark.slow
def test_train_then_predict(tmp_path: Path) -> None:
    assert "test pairs" in run("01_train.py", tmp_path / "made")
    image = sorted((tmp_path / "made" / "data" / "images").iterdir())[0]
    told = run("02_predict.py", tmp_path / "made" / "run", image, tmp_path / "predictions")
    assert [line.split(":")[0] for line in told.splitlines()] == ["both", "rgb", "thermal"]
    overlays = tmp_path / "predictions" / "overlays"
    assert len(list(overlays.iterdir())) == 3
    with Image.open(overlays / f"{image.stem}_both.png") as overlay:
        assert overlay.size == (96, 64)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Ten pairs with labels, as the third example reads them."""
    folder = tmp_path / "drive"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in (f"{i:03d}" for i in range(10)):
        for kind, shape in (("rgb", (32, 40, 3)), ("thermal", (32, 40)), ("labels", (32, 40))):
            pixels = rng.integers(0, 3 if kind == "labels" else 256, shape, dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{name}_{kind}.png")
    return folder


def test_own_data(recording: Path, tmp_path: Path) -> None:
    told = run("03_own_data.py", recording, tmp_path / "mine")
    assert "train: 7 pairs of (32, 40) pixels" in told
    assert "test: 2 pairs" in told
    assert len(list((tmp_path / "mine" / "labels").iterdir())) == 10


def spoil_labels(recording: Path) -> None:
    Image.new("L", (40, 32), 7).save(recording / "009_labels.png")


def lose_thermal(recording: Path) -> None:
    (recording / "009_thermal.png").unlink()


def cut_rgb(recording: Path) -> None:
    (recording / "009_rgb.png").write_bytes(b"\x89PNG")


def empty(recording: Path) -> None:
    for path in recording.iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_labels, "009_labels.png: label id 7"),
        (lose_thermal, "thermal"),
        (cut_rgb, "009_rgb.png: not a readable image"),
        (empty, "no image matches"),
    ],
)
def test_own_data_that_is_bad(recording: Path, tmp_path: Path, spoil: Any, message: str) -> None:
    spoil(recording)
    assert message in refused("03_own_data.py", recording, tmp_path / "mine")
    assert [path.name for path in tmp_path.iterdir()] == ["drive"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["01_train.py"], "give the folder to write to: python examples/01_train.py OUT"),
        (["01_train.py", "HERE"], "is there already; give a new folder"),
        (["02_predict.py", "nano"], "give three words"),
        (["02_predict.py", "nano", "HERE/none.png", "HERE/out"], "none.png: no such image"),
        (["02_predict.py", "HERE/run", "HERE/rgbt.png", "HERE/out"], "run: no such folder"),
        (["02_predict.py", "nano", "HERE/rgb.png", "HERE/out"], "3 channel(s), but 4 are needed"),
        (["03_own_data.py", "a"], "give two folders"),
        (["03_own_data.py", "HERE/none", "HERE/out"], "none: no such folder"),
        (["03_own_data.py", "HERE", "HERE"], "is there already; give a new folder"),
    ],
)
def test_bad_words(tmp_path: Path, words: list[str], message: str) -> None:
    Image.new("RGB", (40, 32)).save(tmp_path / "rgb.png")
    Image.new("RGBA", (40, 32)).save(tmp_path / "rgbt.png")
    name, *rest = (word.replace("HERE", str(tmp_path)) for word in words)
    assert message in refused(name, *rest)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rgb.png", "rgbt.png"]
