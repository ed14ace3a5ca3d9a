"""What one does with a prediction: parts, borders, selections, and other tools' forms."""

from __future__ import annotations

import io
import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask

import samantic
from samantic.cli import main
from samantic.data.rig import Rig
from samantic.errors import InputError
from samantic.files import read_json
from samantic.predict.prediction import Prediction
from samantic.predict.predictor import Predictor
from samantic.scenes.write import write_scenes

CLASSES = ("background", "person", "car")


@pytest.fixture(scope="module")
def model(trained: Path) -> Predictor:
    return samantic.load(trained, device="cpu")


def pair(seed: int = 0, height: int = 48, width: int = 64) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    return (
        rng.integers(0, 256, (height, width, 3), np.uint8),
        rng.integers(0, 256, (height, width), np.uint8),
    )


def prediction(labels: Any, **changes: Any) -> Prediction:
    labels = np.array(labels, np.uint8)
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0.4, 1, labels.shape).astype(np.float32)
    ground = np.zeros((*labels.shape, 3), np.uint8)
    found = Prediction(labels, confidence, CLASSES, ((0, 0, 0), (9, 0, 0), (0, 9, 0)), ground)
    return replace(found, **changes)


SCENE = [
    [0, 1, 1, 0, 0, 2],
    [0, 1, 0, 0, 0, 2],
    [0, 0, 0, 1, 0, 255],
    [2, 0, 0, 0, 1, 255],
]


def test_instances_are_the_connected_parts() -> None:
    """Against loops over pixels: parts touch at corners too, the largest come first."""
    raw = np.arange(24, dtype=np.uint16).reshape(4, 6) * 100
    found = prediction(SCENE, raw=raw)
    parts = found.instances()
    assert [(p.name, p.label, p.area, p.box) for p in parts] == [
        ("person", 1, 3, (1, 0, 3, 2)),
        ("person", 1, 2, (3, 2, 5, 4)),
        ("car", 2, 2, (5, 0, 6, 2)),
        ("car", 2, 1, (0, 3, 1, 4)),
    ]
    pixels = [[(0, 1), (0, 2), (1, 1)], [(2, 3), (3, 4)], [(0, 5), (1, 5)], [(3, 0)]]
    for part, places in zip(parts, pixels, strict=True):
        assert list(zip(*np.nonzero(part.full_mask(4, 6)), strict=True)) == places
        assert part.confidence == pytest.approx(np.mean([found.confidence[p] for p in places]))
        assert part.thermal == pytest.approx(np.mean([float(raw[p]) for p in places]))
    assert [p.area for p in found.instances(["car"])] == [2, 1]
    assert [p.area for p in found.instances("person", min_area=3)] == [3]
    assert found.instances(["background"])[0].area == 14
    assert prediction(SCENE).instances()[0].thermal is None


def test_temperatures_lie_on_the_pixels_of_labels() -> None:
    """Of a camera that sees the left half only; the rest is not known."""
    rig = Rig(((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
    raw = np.full((4, 3), 30000, np.uint16)
    images = {"rgb": np.zeros((4, 6, 3), np.uint8)}
    found = prediction(np.ones((4, 6)), raw=raw, rig=rig, images=images)
    assert found.thermal is not None
    assert (found.thermal[:, :3] == 30000).all()
    assert np.isnan(found.thermal[:, 3:]).all()
    assert found.instances()[0].thermal == 30000
    right = np.zeros((4, 6), np.uint8)
    right[:, 4:] = 1
    assert prediction(right, raw=raw, rig=rig, images=images).instances()[0].thermal is None


def area(line: NDArray[np.int32]) -> float:
    """Signed, by the shoelace formula."""
    x, y = line.T.astype(float)
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


def test_contours_enclose_the_class() -> None:
    for name, count in (("person", 5), (2, 3)):
        lines = prediction(SCENE).contours(name)
        assert sum(map(area, lines)) == count
    assert prediction(SCENE).mask("person").sum() == 5
    assert prediction(np.zeros((3, 3))).contours("car") == []


def test_coco_reads_its_form() -> None:
    found = prediction(SCENE)
    stored = json.loads(json.dumps(found.to_coco(image_id=7, file_name="a.png")))
    assert stored["images"] == [{"id": 7, "file_name": "a.png", "height": 4, "width": 6}]
    assert [c["name"] for c in stored["categories"]] == list(CLASSES)
    for part, one in zip(found.instances(), stored["annotations"], strict=True):
        assert np.array_equal(coco_mask.decode(one["segmentation"]), part.full_mask(4, 6))
        assert coco_mask.area(one["segmentation"]) == one["area"] == part.area
        assert list(coco_mask.toBbox(one["segmentation"])) == one["bbox"]
        assert one["category_id"] == part.label
        assert one["image_id"] == 7
    assert [one["id"] for one in stored["annotations"]] == [1, 2, 3, 4]


@pytest.mark.filterwarnings("ignore:OpenCV")
@pytest.mark.parametrize("labels", [SCENE, np.zeros((4, 6))])
def test_supervision_reads_its_form(labels: Any) -> None:
    supervision = pytest.importorskip("supervision")
    found = prediction(labels)
    parts, out = found.instances(), found.to_supervision()
    assert isinstance(out, supervision.Detections)
    assert len(out) == len(parts)
    assert [tuple(map(int, box)) for box in out.xyxy] == [part.box for part in parts]
    assert list(out.class_id) == [part.label for part in parts]
    assert list(out["class_name"]) == [part.name for part in parts]
    assert [int(mask.sum()) for mask in out.mask] == [part.area for part in parts]
    assert len(out[out.confidence > 2]) == 0


def test_supervision_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "supervision":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"pip install samantic\[supervision\]"):
        prediction(SCENE).to_supervision()


def test_a_selection_leaves_255() -> None:
    found = prediction(SCENE)
    labels, confidence = found.labels, found.confidence
    only = found.select(["person"]).labels
    assert np.array_equal(only, np.where(labels == 1, 1, 255))
    sure = found.select(threshold=0.7).labels
    assert np.array_equal(sure, np.where(confidence < 0.7, 255, labels))
    each = found.select(threshold={"person": 0.7}).labels
    assert np.array_equal(each, np.where((labels == 1) & (confidence < 0.7), 255, labels))
    assert np.array_equal(found.select().labels, labels)
    assert found.select(["person"]).shares()["car"] == 0
    assert found.select(["car"]).overlay().size == (6, 4)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda p: p.contours("persn"), r"no class 'persn' \(did you mean person\?\)"),
        (lambda p: p.instances([9]), "no class 9; the model knows background, person, car"),
        (lambda p: p.mask(-1), "no class -1"),
        (lambda p: p.select(["bus"]), "only: no class 'bus'"),
        (lambda p: p.select([]), "only: names no class"),
        (lambda p: p.select(threshold=1.5), "threshold is 1.5; it must be a number in 0..1"),
        (lambda p: p.select(threshold={"bus": 0.5}), "threshold: no class 'bus'"),
        (lambda p: p.select(threshold=float("nan")), "threshold is nan"),
        (lambda p: p.select(threshold=True), "threshold is True"),
        (lambda p: p.probabilities, "probabilities were not kept"),
    ],
)
def test_what_is_no_class_is_told(action: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        action(prediction(SCENE))


def test_a_console_shows_what_matters(model: Predictor, tmp_path: Path) -> None:
    """A line each, where classes had their address and parts their pixels."""
    assert repr(model).startswith(f"<Predictor of {len(model.classes)} classes: unlabelled, car, ")
    assert repr(model).endswith("thermal_scaling 8-bit, rig none>")
    part = prediction(SCENE).instances("person")[0]
    assert repr(part).startswith("Instance(name='person', label=1, box=(1, 0, 3, 2), area=3")
    assert "array" not in repr(part)
    with pytest.raises(InputError, match="a folder, not an image; `samantic predict` takes folder"):
        model(tmp_path)


def test_a_notebook_shows_the_overlay(model: Predictor) -> None:
    found = model(*pair())
    with Image.open(io.BytesIO(found._repr_png_())) as shown:
        assert shown.size == (64, 48)
    assert 0 < found.seconds < 60
    assert model.classes == model.info.classes == found.classes


def test_probabilities_come_when_they_are_wanted(model: Predictor) -> None:
    found = model(*pair())
    assert found.kept is None
    kept = model(*pair(), probabilities=True)
    assert kept.kept is not None
    np.testing.assert_allclose(found.probabilities, kept.kept, atol=1e-6)
    assert np.array_equal(found.probabilities.argmax(0), found.labels)


def test_a_prediction_travels_without_its_model(model: Predictor) -> None:
    found = model(*pair())
    sent = pickle.dumps(found)
    assert len(sent) < 100_000
    again = pickle.loads(sent)  # noqa: S301
    assert np.array_equal(again.labels, found.labels)
    with pytest.raises(InputError, match="probabilities were not kept"):
        again.probabilities  # noqa: B018


def test_models_are_loaded_with_a_selection(trained: Path, model: Predictor) -> None:
    sure = samantic.load(trained, only=["car", "person"], threshold={"car": 0.2})
    found, plain = sure(*pair()), model(*pair())
    expected = plain.select(["car", "person"], {"car": 0.2}).labels
    assert np.array_equal(found.labels, expected)
    assert np.array_equal(found.confidence, plain.confidence)
    with pytest.raises(InputError, match="only: no class 'bus'"):
        samantic.load(trained, only=["bus"])


def test_predict_selects(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is written depends on it, so a folder is not mixed."""
    own = tmp_path / "own"
    write_scenes(own, "pairs", {"train": range(1)}, seed=5, size=(50, 70))
    words = ["predict", str(trained), "--rgb", str(own / "rgb"), "--out", str(tmp_path / "out")]
    assert main([*words, "--only", "car", "--threshold", "car=0.1"]) == 0
    labels = np.asarray(Image.open(next((tmp_path / "out" / "labels").iterdir())))
    assert set(np.unique(labels)) <= {1, 255}
    assert read_json(tmp_path / "out" / "summary.json")["only"] == "car"
    capsys.readouterr()
    assert main(words) == 2
    assert "holds predictions with only car, not none" in capsys.readouterr().err
    for extra, message in (
        (["--only", "bus"], "--only: no class 'bus'; the model knows unlabelled, car"),
        (["--threshold", "high"], "--threshold 'high': give a number in 0..1, or CLASS=NUMBER"),
        (["--threshold", "2"], "--threshold is 2.0; it must be a number in 0..1"),
    ):
        assert main([*words, *extra]) == 2
        assert message in capsys.readouterr().err
