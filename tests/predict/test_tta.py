"""Test-time augmentation: what is averaged, in every way to predict, and what is told of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from jsonschema import Draft202012Validator
from PIL import Image

import samantic
from samantic.cli import main
from samantic.data.resize import magnify, resize_to
from samantic.errors import InputError
from samantic.measure.record import read_confusion
from samantic.metrics import paired_difference
from samantic.predict.tta import LARGER

SCHEMA = Path(__file__).parents[2] / "docs" / "metrics.schema.json"


def pair(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return (
        torch.rand(2, 3, height, width, generator=generator),
        torch.rand(2, 1, height, width, generator=generator),
    )


@pytest.mark.parametrize("tta", ["flip", "scales", "all"])
def test_answers_to_the_views_are_averaged(trained: Path, tta: Any) -> None:
    """Against the mean computed here, view by view, from the network alone."""
    model = samantic.load(trained, device="cpu", tta=tta)
    images = pair(48, 64)
    found = model.classify(*images, probabilities=True)
    answers = []
    for scale in [1.0] if tta == "flip" else [1.0, LARGER]:
        for mirrored in [False] if tta == "scales" else [False, True]:
            seen = [magnify(x.flip(3) if mirrored else x, scale) for x in images]
            with torch.inference_mode():
                maps = resize_to(model.network(*seen).probabilities(model.head), (48, 64))
            answers.append(maps.flip(3) if mirrored else maps)
    expected = torch.stack(answers).mean(0)
    assert found.probabilities is not None
    torch.testing.assert_close(found.probabilities[0], expected)
    assert torch.equal(found.labels[0], expected.argmax(1))


def test_a_mirrored_image_gets_the_mirrored_answer(trained: Path) -> None:
    model = samantic.load(trained, device="cpu", tta="flip")
    rgb, thermal = pair(48, 64)
    one = model.classify(rgb, thermal, probabilities=True).probabilities
    two = model.classify(rgb.flip(3), thermal.flip(3), probabilities=True).probabilities
    assert one is not None
    assert two is not None
    torch.testing.assert_close(one, two.flip(-1))
    assert model.plain().tta is None
    plain = model.plain().classify(rgb, thermal, probabilities=True).probabilities
    assert plain is not None
    assert not torch.allclose(plain, one)


def test_tiles_are_seen_in_all_views(trained: Path) -> None:
    rgb, thermal = pair(48, 100)
    plain, flipped = (samantic.load(trained, tile=48, tta=tta) for tta in (None, "flip"))
    assert not torch.equal(
        plain.classify(rgb, thermal).confidence, flipped.classify(rgb, thermal).confidence
    )


def test_there_is_no_other_kind(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="tta is 'flips'; give one of flip, scales, all, or None"):
        samantic.load(trained, tta="flips")  # type: ignore[arg-type]
    with pytest.raises(SystemExit, match="2"):
        main(["predict", str(trained), "--rgb", "a.png", "--out", "x", "--tta", "mirror"])
    assert "--tta: invalid choice: 'mirror'" in capsys.readouterr().err


def test_evaluate_tells_cost_and_gain(
    trained: Path, mfnet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", str(trained), "--data", str(mfnet), "--layout", "mfnet", "--split", "test"]
    matrices = {}
    for name, extra in (("plain", []), ("tta", ["--tta", "flip"])):
        assert main([*words, *extra, "--out", str(tmp_path / name)]) == 0
        matrices[name] = read_confusion(tmp_path / name / "confusion.npz")[1]
    metrics = json.loads((tmp_path / "tta" / "metrics.json").read_text())
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(metrics)
    plain = json.loads((tmp_path / "plain" / "metrics.json").read_text())
    assert plain["tta"] is None
    tta = metrics["tta"]
    assert (tta["kind"], tta["views"]) == ("flip", 2)
    assert tta["times"] > 1
    assert tta["without"]["iou"] == plain["iou"]
    gain, low, high = paired_difference(matrices["tta"], matrices["plain"])
    assert tta["difference"] == {"difference": gain, "interval": [low, high]}
    told = capsys.readouterr().out
    assert f"difference {100 * gain:+.2f} ({100 * low:.2f} to {100 * high:.2f}); 2 passes" in told


def test_an_even_sample_is_measured(
    trained: Path, mfnet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", str(trained), "--data", str(mfnet), "--layout", "mfnet", "--split", "test"]
    found = {}
    for count in ("2", "99"):
        out = tmp_path / count
        assert main([*words, "--frames", count, "--out", str(out)]) == 0
        found[count] = read_confusion(out / "confusion.npz")[0]
    assert found["2"] == [found["99"][0], found["99"][-1]]
    assert main([*words, "--frames", "3", "--out", str(tmp_path / "2")]) == 2
    assert "made from other inputs (frames 2, now 3)" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main([*words, "--frames", "0"])
    assert "'0' is not a whole number in 1.." in capsys.readouterr().err


def test_a_folder_with_other_views_is_refused(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(tmp_path / "a.png")
    words = [
        "predict",
        str(trained),
        "--rgb",
        str(tmp_path / "a.png"),
        "--out",
        str(tmp_path / "o"),
    ]
    assert main([*words, "--tta", "flip"]) == 0
    summary = json.loads((tmp_path / "o" / "summary.json").read_text())
    assert summary["tta"] == "flip"
    assert main(words) == 2
    assert "holds predictions with tta flip, not none; give another --out" in (
        capsys.readouterr().err
    )
    assert main([*words, "--tta", "scales"]) == 2
    assert "with tta flip, not scales" in capsys.readouterr().err
