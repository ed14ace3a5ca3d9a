"""Images are shown in another size; labels, confidence and figures stay in their own."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

import samantic
from samantic.cli import main
from samantic.data.resize import labels_at, magnify, network_scale, resize_to
from samantic.measure.record import read_confusion
from samantic.scenes.write import write_scenes


def test_scale_and_size_keep_the_aspect() -> None:
    assert network_scale((480, 640), None) == 1
    assert network_scale((480, 640), 800) == pytest.approx(800 / 480)
    images = torch.rand(2, 3, 48, 64)
    shown = magnify(images, network_scale((48, 64), 80))
    assert shown is not None
    assert shown.shape == (2, 3, 80, 107)
    assert magnify(images, 1.0) is images
    assert resize_to(torch.rand(2, 5, 80, 107), (48, 64)).shape == (2, 5, 48, 64)
    ids = torch.randint(0, 9, (2, 24, 32)).repeat_interleave(2, 1).repeat_interleave(2, 2)
    assert torch.equal(labels_at(ids, (24, 32)), ids[:, ::2, ::2])


@pytest.mark.parametrize("scale", [0.4, 1.5])
def test_images_are_resampled_as_pillow_does(scale: float) -> None:
    """Bilinear, over as many pixels as one of the smaller image covers."""
    images = torch.rand(2, 3, 40, 60)
    found = magnify(images, scale)
    assert found is not None
    size = (round(60 * scale), round(40 * scale))
    for image, result in zip(images.flatten(0, 1), found.flatten(0, 1), strict=True):
        expected = Image.fromarray(image.numpy()).resize(size, Image.Resampling.BILINEAR)
        np.testing.assert_allclose(result.numpy(), np.asarray(expected), atol=1e-5)


@pytest.mark.parametrize("size", [(6, 8), (18, 30)])
def test_labels_in_another_size_are_those_under_the_middle(
    size: tuple[int, int],
) -> None:
    ids = torch.randint(0, 9, (2, 9, 12))
    rows, columns = (
        [math.floor((i + 0.5) * whole / n) for i in range(n)]
        for n, whole in zip(size, (9, 12), strict=True)
    )
    assert torch.equal(labels_at(ids, size), ids[:, rows][:, :, columns])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was evaluated at a short side of 96 pixels, on images of 64x80."""
    out = tmp_path_factory.mktemp("sizes")
    splits = {"train": range(4), "val": range(4, 6), "test": range(6, 8)}
    write_scenes(out / "data", "mfnet", splits, seed=0, size=(64, 80))
    config = {
        "out": str(out / "run"),
        "data": {"root": str(out / "data"), "workers": 0, "eval_size": 96},
        "model": {"network": "student", "base": "segformer-micro"},
        "augment": {"crop": [64, 64], "zoom": "crop"},
        "train": {"steps": 2, "batch_size": 2, "validations": 1, "precision": "32-true"},
    }
    (out / "run.yaml").write_text(yaml.safe_dump(config))
    assert main(["train", str(out / "run.yaml")]) == 0
    return out


def test_a_model_sees_images_as_its_own_evaluation_did(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = json.loads((run / "run" / "metrics.json").read_text())
    assert metrics["eval_size"] == 96
    assert json.loads((run / "run" / "model" / "config.json").read_text())["eval_size"] == 96
    where = ["--data", str(run / "data"), "--layout", "mfnet", "--split", "test"]
    figures = {}
    for name, words in {"as trained": [], "own": ["--size", "own"], "96": ["--size", "96"]}.items():
        out = run / "evaluated" / name
        assert main(["evaluate", str(run / "run"), *where, "--out", str(out), *words]) == 0
        figures[name] = json.loads((out / "metrics.json").read_text())
    assert figures["as trained"]["miou"] == figures["96"]["miou"] == metrics["miou"]
    assert figures["own"]["eval_size"] is None
    matrices = {
        name: read_confusion(run / "evaluated" / name / "confusion.npz")[1] for name in figures
    }
    assert {int(matrix.sum()) for matrix in matrices.values()} == {2 * 64 * 80}
    with pytest.raises(SystemExit):
        main(["evaluate", str(run / "run"), *where, "--size", "9"])
    assert "neither 32 to 8192 pixels nor own" in capsys.readouterr().err


def test_labels_come_in_the_images_size_and_equal_a_prediction_by_hand(run: Path) -> None:
    rgba = np.asarray(Image.open(next((run / "data" / "images").glob("*.png"))))
    rgb, thermal = rgba[..., :3].copy(), rgba[..., 3].copy()
    model = samantic.load(run / "run", device="cpu")
    found = model.predict(rgb=rgb, thermal=thermal)
    assert found.labels.shape == (64, 80)
    x = torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255
    t = torch.from_numpy(thermal)[None, None].float() / 255
    big = [
        torch.nn.functional.interpolate(i, (96, 120), mode="bilinear", antialias=True)
        for i in (x, t)
    ]
    with torch.inference_mode():
        probabilities = model.network(*big).probabilities("mask")
    own = torch.nn.functional.interpolate(probabilities, (64, 80), mode="bilinear")[0]
    confidence, labels = own.max(0)
    assert np.array_equal(found.labels, labels.numpy())
    np.testing.assert_allclose(found.confidence, confidence.numpy(), atol=1e-5)
    plain = samantic.load(run / "run", device="cpu", size=0).predict(rgb=rgb, thermal=thermal)
    assert not np.allclose(plain.confidence, found.confidence)
    tiled = samantic.load(run / "run", device="cpu", tile=64).predict(rgb=rgb, thermal=thermal)
    assert tiled.labels.shape == (64, 80)
