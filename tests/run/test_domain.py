"""The range of the confidence: stored at the end of a training, and what lies outside is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import stats

import samantic
from samantic.cli import main
from samantic.data.pairs import PairedFolder
from samantic.errors import InputError
from samantic.files import read_json, write_json
from samantic.predict.domain import unlike, warning
from samantic.predict.info import read_info
from samantic.run.domain import prediction_interval


def test_stored_range_is_that_of_the_validation_split(trained: Path, mfnet: Path) -> None:
    model = samantic.load(trained, device="cpu")
    seen = read_info(trained / "model").confidence
    assert seen is not None
    files = PairedFolder(mfnet, "mfnet", "val").files
    found = []
    for pair in files:
        with Image.open(pair.paths[0]) as image:
            pixels = np.asarray(image)
        found.append(float(model.predict(pixels[..., :3], pixels[..., 3]).confidence.mean()))
    odds = np.log(np.array(found) / (1 - np.array(found)))
    t = stats.t.ppf(0.975, len(odds) - 1)
    reach = t * np.std(odds, ddof=1) * np.sqrt(1 + 1 / len(odds))
    ends = [1 / (1 + np.exp(-(odds.mean() + side * reach))) for side in (-1, 1)]
    assert seen == pytest.approx(ends, abs=1e-5)


def test_the_interval_holds_what_it_should() -> None:
    """Of values like those it was made from it holds about 95 %; few values make it wide."""
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(2000):
        *known, new = 1 / (1 + np.exp(-rng.normal(3.5, 0.5, 11)))
        low, high = prediction_interval(known)
        inside += low <= new <= high
    assert inside / 2000 == pytest.approx(0.95, abs=0.015)
    low, high = prediction_interval([0.9, 0.91])
    assert low < 0.75
    assert high > 0.96
    assert prediction_interval([1.0, 1.0]) == pytest.approx((1, 1), abs=1e-5)


@pytest.fixture
def strict(trained: Path, tmp_path: Path) -> Path:
    """The model with a range in which no frame lies."""
    shutil.copytree(trained / "model", tmp_path / "model")
    about = read_json(tmp_path / "model" / "config.json")
    write_json(tmp_path / "model" / "config.json", about | {"confidence": [0.999, 0.9995]})
    return tmp_path / "model"


def test_strange_frames_are_told(
    strict: Path, mfnet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--rgbt", str(mfnet / "images"), "--out", str(tmp_path / "out")]
    for _ in range(2):  # the second time from the label files
        assert main(["predict", str(strict), *words]) == 0
        assert "10 of 10 frames may be unlike those" in capsys.readouterr().err
    page = (tmp_path / "out" / "report.html").read_text()
    assert '<p class="notice"><strong>Other images than in training?</strong> 10 of 10' in page
    assert page.count("unlike the training frames") == 10
    data = ["--data", str(mfnet), "--layout", "mfnet", "--split", "test"]
    assert main(["evaluate", str(strict), *data, "--out", str(tmp_path / "measured")]) == 0
    assert "Other images than in training?" in (tmp_path / "measured" / "report.html").read_text()


def test_one_strange_frame_is_told() -> None:
    told = warning({"a": 0.5}, (0.9, 0.95), ["a"])
    assert told is not None
    assert told.startswith("this frame may be unlike those that the model learnt from: mean")
    assert "confidence 0.500, in training 0.900 to 0.950; look at it" in told


def test_older_models_tell_nothing(
    strict: Path, mfnet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    about = read_json(strict / "config.json")
    del about["confidence"]
    (strict / "config.json").write_text(json.dumps(about))
    words = ["--rgbt", str(mfnet / "images"), "--out", str(tmp_path / "out")]
    assert main(["predict", str(strict), *words]) == 0
    assert "unlike" not in capsys.readouterr().err
    assert "Other images than in training?" not in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize("value", [[0.9, 0.1], [0.1], "high", [0.2, 1.5], [0.1, None]])
def test_a_range_that_is_none_is_refused(strict: Path, value: object) -> None:
    about = read_json(strict / "config.json") | {"confidence": value}
    (strict / "config.json").write_text(json.dumps(about))
    with pytest.raises(InputError, match="confidence must be two numbers"):
        read_info(strict)


def test_a_few_frames_outside_are_no_warning() -> None:
    seen = (0.8, 0.9)
    frames = {f"{i}": 0.85 for i in range(19)} | {"low": 0.5}
    names = unlike(frames, seen)
    assert names == ["low"]
    assert warning(frames, seen, names) is None
    few = {"low": 0.5, "high": 0.95, "as usual": 0.9}
    told = warning(few, seen, unlike(few, seen))
    assert told is not None
    assert "2 of 3 frames" in told
    assert "0.500 to 0.950, in training 0.800 to 0.900" in told
    assert unlike(few, None) == []
    assert warning(few, None, []) is None
