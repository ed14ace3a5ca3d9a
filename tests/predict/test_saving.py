"""What `--save` writes, and that none of it is taken for an answer to another question."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

import samantic
from samantic.cli import main
from samantic.data.labels import LabelCode
from samantic.display.palette import display_colours
from samantic.errors import InputError
from samantic.files import read_arrays, read_json
from samantic.predict.contours import contours
from samantic.predict.predictor import Predictor

ALL = "contours,labels,probabilities,overlay,confidence"
FOLDERS = ("confidence", "contours", "labels", "overlays", "probabilities")


@pytest.fixture(scope="module")
def model(trained: Path) -> Predictor:
    return samantic.load(trained, device="cpu")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Three pairs."""
    rng = np.random.default_rng(5)
    for kind, shape in (("rgb", (50, 70, 3)), ("thermal", (50, 70))):
        (tmp_path / "mine" / kind).mkdir(parents=True)
        for i in range(3):
            pixels = ndimage.gaussian_filter(rng.normal(128, 200, shape), (4, 4, 0)[: len(shape)])
            image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
            image.save(tmp_path / "mine" / kind / f"{i}.png")
    return tmp_path / "mine"


def predict(trained: Path, mine: Path, out: Path, *words: str) -> int:
    data = ("--rgb", str(mine / "rgb"), "--thermal", str(mine / "thermal"))
    return main(["predict", str(trained), *data, "--out", str(out), *words])


def times(out: Path) -> dict[str, int]:
    found = (path for folder in FOLDERS for path in (out / folder).glob("*"))
    return {str(path.relative_to(out)): path.stat().st_mtime_ns for path in found}


def test_every_kind(trained: Path, mine: Path, tmp_path: Path, model: Predictor) -> None:
    out = tmp_path / "out"
    assert predict(trained, mine, out, "--save", ALL) == 0
    found = model.predict(mine / "rgb" / "1.png", mine / "thermal" / "1.png", probabilities=True)
    with Image.open(out / "confidence" / "1.png") as shown:
        assert shown.mode == "L"
        assert np.abs(np.asarray(shown) / 255 - found.confidence).max() <= 0.5 / 255 + 1e-6
    values, names = read_arrays(
        out / "probabilities" / "1.npz", "file", ("probabilities", "classes")
    )
    assert values.dtype == np.float16
    assert names.tolist() == list(found.classes)
    np.testing.assert_allclose(values, found.probabilities, atol=1e-3)
    about = read_json(out / "contours" / "1.json")
    assert (about["width"], about["height"]) == (70, 50)
    assert list(about["contours"]) == list(found.classes[1:])
    for label, name in enumerate(found.classes[1:], 1):
        area = sum(map(signed_area, about["contours"][name]))
        assert area == (found.labels == label).sum()
    page = (out / "report.html").read_text()
    assert page.count('alt="confidence of ') == 3


def test_label_files_hold_ids_and_a_palette(trained: Path, mine: Path, tmp_path: Path) -> None:
    """Whatever the reader: Pillow, numpy's view of it, and the reader of training labels."""
    out = tmp_path / "out"
    assert predict(trained, mine, out) == 0
    path = out / "labels" / "0.png"
    model = samantic.load(trained, device="cpu")
    ids = model.predict(mine / "rgb" / "0.png", mine / "thermal" / "0.png").labels
    with Image.open(path) as shown:
        assert shown.mode == "P"
        assert np.array_equal(np.asarray(shown), ids)
        colours = np.asarray(shown.convert("RGB"))
    expected = np.array([(0, 0, 0), *display_colours(model.info.classes)[1:]])
    assert np.array_equal(colours, expected[ids])
    assert np.array_equal(LabelCode(len(model.info.classes)).read(path), ids)
    assert path.read_bytes()[24] == 8, "bits of an index"


def test_what_is_saved_is_chosen(
    trained: Path, mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert predict(trained, mine, out, "--save", "overlay") == 0
    assert sorted(path.name for path in out.iterdir() if path.is_dir()) == ["overlays"]
    assert "3 pairs: overlays and report.html in" in capsys.readouterr().out
    assert (out / "report.html").read_text().count('alt="prediction of ') == 3
    assert predict(trained, mine, out, "--save", "labels,confidence") == 0
    before = times(out)
    assert predict(trained, mine, out, "--save", "labels,confidence") == 0
    assert times(out) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--save", "overlays"), "--save: 'overlays' is none of overlay, labels, confidence, "),
        (("--save", ""), "--save: '' is none of"),
        (("--ground", "night"), "--ground: 'night' is none of auto, rgb, thermal, blend"),
    ],
)
def test_words_that_mean_nothing(
    trained: Path,
    mine: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    message: str,
) -> None:
    assert predict(trained, mine, tmp_path / "out", *words) == 2
    told = capsys.readouterr().err
    assert message in told
    assert len(told.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("ground", "camera", "missing"), [("thermal", "rgb", "thermal"), ("blend", "thermal", "RGB")]
)
def test_a_ground_whose_camera_is_missing(
    trained: Path,
    mine: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    ground: str,
    camera: str,
    missing: str,
) -> None:
    words = [f"--{camera}", str(mine / camera), "--ground", ground, "--out", str(tmp_path / "out")]
    assert main(["predict", str(trained), *words]) == 2
    told = capsys.readouterr().err
    assert f"--ground: {ground} needs the {missing} images; give it, or take auto" in told


def test_ground_and_legend_change_overlays_alone(
    trained: Path, mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict(trained, mine, tmp_path / "auto") == 0
    assert predict(trained, mine, tmp_path / "heat", "--ground", "thermal", "--legend") == 0
    first, second = (tmp_path / name / "overlays" / "0.png" for name in ("auto", "heat"))
    with Image.open(first) as plain, Image.open(second) as drawn:
        assert plain.size == (70, 50)
        assert drawn.size[1] > 50
    ids = [np.asarray(Image.open(tmp_path / n / "labels" / "0.png")) for n in ("auto", "heat")]
    assert np.array_equal(*ids)
    capsys.readouterr()
    assert predict(trained, mine, tmp_path / "auto", "--ground", "thermal") == 2
    assert "with ground auto, not thermal; give another --out" in capsys.readouterr().err
    assert predict(trained, mine, tmp_path / "auto", "--legend") == 2
    assert "with legend no, not yes; give another --out" in capsys.readouterr().err


def test_what_was_made_of_other_images_is_made_anew(
    trained: Path, mine: Path, tmp_path: Path
) -> None:
    """Of every kind, also of those that bear no mark, and if it is not asked for now."""
    out = tmp_path / "out"
    assert predict(trained, mine, out, "--save", ALL) == 0
    before = times(out)
    assert predict(trained, mine, out, "--save", ALL) == 0
    assert times(out) == before
    Image.fromarray(np.full((50, 70, 3), 90, np.uint8)).save(mine / "rgb" / "1.png")
    assert predict(trained, mine, out) == 0
    assert not (out / "probabilities" / "1.npz").exists()
    assert not (out / "contours" / "1.json").exists()
    now = times(out)
    assert all(now[name] == before[name] for name in now if "/1." not in name)
    assert all(now[name] != before[name] for name in now if "/1." in name)


@pytest.mark.parametrize("name", ["probabilities/1.npz", "contours/1.json", "confidence/1.png"])
def test_a_file_that_was_cut_off_is_made_again(
    trained: Path, mine: Path, tmp_path: Path, name: str
) -> None:
    out = tmp_path / "out"
    assert predict(trained, mine, out, "--save", ALL) == 0
    whole = (out / name).read_bytes()
    (out / name).write_bytes(whole[: len(whole) // 2])
    assert predict(trained, mine, out, "--save", ALL) == 0
    assert len((out / name).read_bytes()) == len(whole)


def test_foreign_files_are_not_overwritten(trained: Path, mine: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "contours").mkdir(parents=True)
    (out / "contours" / "0.json").write_text("{}")
    assert predict(trained, mine, out, "--save", "contours,labels") == 2
    assert (out / "contours" / "0.json").read_text() == "{}"


def test_saving_from_python(model: Predictor, mine: Path, tmp_path: Path) -> None:
    images = mine / "rgb" / "0.png", mine / "thermal" / "0.png"
    found = model.predict(*images)
    found.save(tmp_path / "py", "a", kinds=("contours", "labels"), ground="blend")
    assert json.loads((tmp_path / "py" / "contours" / "a.json").read_text())["width"] == 70
    found.save(tmp_path / "py", "a", kinds=("probabilities",))
    assert (tmp_path / "py" / "probabilities" / "a.npz").exists()
    with pytest.raises(InputError, match="kinds: 'mask' is none of overlay"):
        found.save(tmp_path / "py", "a", kinds=("mask",))
    with pytest.raises(InputError, match="ground: thermal needs the thermal image"):
        model.predict(images[0]).overlay(ground="thermal")
    buffer = io.BytesIO()
    found.overlay(legend=True).save(buffer, "png")
    assert buffer.tell() > 0


def signed_area(line: list[list[int]]) -> float:
    """The shoelace formula; clockwise with y downwards is positive."""
    x, y = np.array(line, float).T
    return float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2)


def test_contours_enclose_the_pixels() -> None:
    """Areas add up, holes included, and every line starts at a corner and has no other point."""
    rng = np.random.default_rng(1)
    for size in ((9, 9), (20, 31)):
        mask = rng.random(size) < 0.5
        lines = contours(mask)
        areas = [signed_area(line.tolist()) for line in lines]
        assert sum(areas) == mask.sum()
        assert sum(area > 0 for area in areas) == ndimage.label(mask)[1]
        for line in lines:
            steps = np.roll(line, -1, axis=0) - line
            assert ((steps == 0).sum(1) == 1).all()
            turns = (steps != 0) == (np.roll(steps, 1, axis=0) != 0)
            assert not turns.all(1).any()


def test_contours_of_simple_shapes() -> None:
    assert contours(np.zeros((4, 4), bool)) == []
    square = np.zeros((5, 5), bool)
    square[1:3, 1:4] = True
    (line,) = contours(square)
    assert sorted(map(tuple, line.tolist())) == [(1, 1), (1, 3), (4, 1), (4, 3)]
    touching = np.eye(2, dtype=bool)
    assert len(contours(touching)) == 2
