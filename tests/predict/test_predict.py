from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import samantic
from samantic.cli import main
from samantic.data.image_files import open_image
from samantic.data.images import rgb_array, thermal_array
from samantic.display.overlay import overlay
from samantic.errors import InputError
from samantic.files import read_json, replacing, write_json
from samantic.predict.predictor import Predictor
from samantic.scenes.write import write_scenes


@pytest.fixture(scope="module")
def model(trained: Path) -> Predictor:
    return samantic.load(trained, device="cpu")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("own")
    write_scenes(root, "pairs", {"train": range(3)}, seed=5, size=(50, 70))
    return root


def one_pair(own: Path) -> tuple[Path, Path]:
    name = (own / "train.txt").read_text().split()[0]
    return own / "rgb" / f"{name}.png", own / "thermal" / f"{name}.png"


def test_paths_images_and_arrays_agree(model: Predictor, own: Path) -> None:
    rgb, thermal = one_pair(own)
    from_paths = model.predict(rgb, str(thermal))
    with Image.open(rgb) as colour, Image.open(thermal) as heat:
        from_images = model.predict(colour, heat)
    from_arrays = model.predict(rgb_array(rgb), thermal_array(thermal))
    for other in (from_images, from_arrays):
        assert np.array_equal(from_paths.labels, other.labels)
        assert np.array_equal(from_paths.confidence, other.confidence)
    assert from_paths.labels.shape == from_paths.confidence.shape == (50, 70)
    assert from_paths.labels.dtype == np.uint8
    assert from_paths.confidence.dtype == np.float32
    assert (from_paths.confidence > 1 / 9 - 1e-6).all()
    assert (from_paths.confidence <= 1).all()
    assert from_paths.classes[1] == "car"
    assert sum(from_paths.shares().values()) == pytest.approx(1)


def test_prediction_equals_the_network(model: Predictor, own: Path) -> None:
    rgb, thermal = (np.asarray(open_image(path)) for path in one_pair(own))
    images = (
        torch.from_numpy(rgb.copy()).permute(2, 0, 1)[None] / 255,
        torch.from_numpy(thermal.copy())[None, None] / 255,
    )
    with torch.no_grad():
        expected = model.network(*images).logits.softmax(1)[0].max(0)
    prediction = model.predict(rgb, thermal)
    assert np.array_equal(prediction.labels, expected.indices.numpy())
    np.testing.assert_allclose(prediction.confidence, expected.values.numpy(), rtol=1e-5)


def test_one_modality_is_enough(model: Predictor, own: Path) -> None:
    rgb, thermal = one_pair(own)
    assert model.predict(rgb=rgb).overlay().size == (70, 50)
    heat = model.predict(thermal=thermal)
    assert heat.overlay().mode == "RGB"
    assert not np.array_equal(heat.confidence, model.predict(rgb, thermal).confidence)


def test_overlay_blends_and_leaves_class_0_clear() -> None:
    background = np.full((9, 30, 3), 100, np.uint8)
    labels = np.repeat(np.array([[0] * 10 + [1] * 10 + [255] * 10], np.uint8), 9, axis=0)
    image = np.asarray(overlay(background, labels, ("background", "car"), opacity=0.25))
    assert image[4, [5, 25]].tolist() == [[100] * 3] * 2
    assert image[4, 15].tolist() == [75, 115, 139]  # of car's (0, 160, 255)
    assert image[4, [9, 10, 19, 20], 0].tolist() == [0, 255, 255, 0]


def test_save(model: Predictor, own: Path, tmp_path: Path) -> None:
    prediction = model.predict(*one_pair(own))
    prediction.save(tmp_path, "frame")
    with Image.open(tmp_path / "labels" / "frame.png") as saved:
        assert np.array_equal(np.asarray(saved), prediction.labels)
    with Image.open(tmp_path / "overlays" / "frame.png") as drawn:
        assert drawn.size == (70, 50)
    assert sorted(p.name for p in tmp_path.rglob("*.png")) == ["frame.png", "frame.png"]


def predict(trained: Path, out: Path, *words: object) -> int:
    return main(["predict", str(trained), *map(str, words), "--out", str(out)])


def test_folders_and_continuation(trained: Path, own: Path, tmp_path: Path) -> None:
    words = ("--rgb", own / "rgb", "--thermal", own / "thermal")
    assert predict(trained, tmp_path, *words) == 0
    summary = read_json(tmp_path / "summary.json")
    assert summary["complete"]
    assert summary["count"] == 3
    for name, frame in summary["frames"].items():
        assert frame["size"] == [50, 70]
        assert sum(frame["shares"].values()) == pytest.approx(1)
        assert (tmp_path / "overlays" / f"{name}.png").exists()
    kept, lost = sorted((tmp_path / "labels").iterdir())[:2]
    lost.unlink()
    before = kept.stat().st_mtime_ns
    assert predict(trained, tmp_path, *words) == 0
    assert kept.stat().st_mtime_ns == before
    assert lost.exists()
    assert read_json(tmp_path / "summary.json") == summary
    assert (tmp_path / "report.html").read_text().count("<figure ") == 3


def test_four_channel_files(trained: Path, mfnet: Path, own: Path, tmp_path: Path) -> None:
    assert predict(trained, tmp_path / "all", "--rgbt", mfnet / "images") == 0
    assert read_json(tmp_path / "all" / "summary.json")["count"] == 10
    one = next((mfnet / "images").iterdir())
    assert predict(trained, tmp_path / "one", "--rgbt", one) == 0
    assert (tmp_path / "one" / "labels" / one.name).exists()


def test_single_files_may_have_different_names(trained: Path, own: Path, tmp_path: Path) -> None:
    rgb, thermal = one_pair(own)
    other = tmp_path / "heat.png"
    shutil.copy(thermal, other)
    assert predict(trained, tmp_path / "out", "--rgb", rgb, "--thermal", other) == 0
    assert (tmp_path / "out" / "labels" / rgb.name).exists()


def test_another_models_predictions_are_not_mixed(
    trained: Path, own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_json(tmp_path / "summary.json", {"model": "0123"})
    assert predict(trained, tmp_path, "--rgb", own / "rgb") == 2
    assert "holds another model's predictions" in capsys.readouterr().err


def test_panoramas_are_not_mixed_with_other_images(
    trained: Path, own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict(trained, tmp_path / "all", "--rgb", own / "rgb", "--panorama") == 0
    assert read_json(tmp_path / "all" / "summary.json")["panorama"] is True
    assert predict(trained, tmp_path / "all", "--rgb", own / "rgb") == 2
    assert "holds predictions with --panorama; give another --out" in capsys.readouterr().err
    assert predict(trained, tmp_path / "cut", "--rgb", own / "rgb") == 0
    assert predict(trained, tmp_path / "cut", "--rgb", own / "rgb", "--panorama") == 2
    assert "holds predictions without --panorama" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "give --rgb and/or --thermal, or --rgbt alone"),
        (("--rgb", "{own}/rgb", "--rgbt", "{own}/rgb"), "or --rgbt alone"),
        (("--rgb", "{own}/none"), "none: no such folder of images"),
        (("--rgb", "{tmp}/empty"), "no images in this folder"),
        (("--rgb", "{own}/rgb", "--thermal", "{tmp}/heat"), "no partner"),
        (("--rgb", "{own}/rgb", "--thermal", "{own}/rgb"), "--rgb and --thermal are the same"),
        (("--rgb", "{own}/rgb", "--thermal", "{tmp}/list.txt"), "list.txt: no image, but"),
        (("--thermal", "{tmp}/list.txt", "--rgb", "{own}/rgb"), "a folder; give two folders"),
        (("--rgbt", "{own}/rgb"), "3 channel(s), but 4 are needed, the 4th thermal"),
        (("--rgb", "{tmp}/heat/small.png", "--thermal", "{own}/thermal/{name}"), "70x50 pixels"),
    ],
)
def test_bad_input(
    trained: Path,
    own: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    message: str,
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "heat").mkdir()
    (tmp_path / "list.txt").write_text("names")
    Image.new("L", (32, 24)).save(tmp_path / "heat" / "small.png")
    name = one_pair(own)[0].name
    filled = [word.format(own=own, tmp=tmp_path, name=name) for word in words]
    assert predict(trained, tmp_path / "out", *filled) == 2
    error = capsys.readouterr().err
    assert message in error
    lines = [line for line in error.splitlines() if line.startswith("samantic: ")]
    assert len(lines) == (3 if words == ("--rgbt", "{own}/rgb") else 1)  # one a pair


def test_predictions_are_not_written_among_images(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(own / "rgb", tmp_path / "drives" / "one")
    for images, out in (("drives/one", "drives/one"), ("drives", "drives/labelled")):
        assert predict(Path("nano"), tmp_path / out, "--rgb", tmp_path / images) == 2
        assert "predictions would lie among the images of" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "drives").iterdir()] == ["one"]


def test_an_image_that_is_too_small_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (40, 31)).save(tmp_path / "low.png")
    assert predict(Path("nano"), tmp_path / "out", "--rgb", tmp_path / "low.png") == 2
    told = capsys.readouterr().err
    assert told.startswith(f"samantic: {tmp_path / 'low.png'}: the pair does not fit the model")


def broken_models(trained: Path, tmp_path: Path, kind: str) -> Path:
    folder = tmp_path / "model"
    shutil.copytree(trained / "model", folder)
    weights = folder / "model.safetensors"
    if kind == "truncated":
        weights.write_bytes(weights.read_bytes()[:1000])
    elif kind == "wrong":
        tensors = load_file(weights)
        tensors.pop("mask_head.decoder.mask_tokens.weight")
        save_file(tensors, weights)
    elif kind == "config":
        (folder / "config.json").write_text(json.dumps({"model": {}}))
    elif kind == "json":
        (folder / "config.json").write_text("{")
    elif kind == "none":
        weights.unlink()
    return folder


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("truncated", "model.safetensors: not readable"),
        ("wrong", "does not fit config.json, first at mask_head.decoder.mask_tokens.weight"),
        ("config", "config.json: not a samantic model"),
        ("json", "config.json: not valid JSON"),
        ("none", "no model here; give a run folder"),
    ],
)
def test_broken_models(
    trained: Path,
    own: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    message: str,
) -> None:
    folder = broken_models(trained, tmp_path, kind)
    assert predict(folder, tmp_path / "out", "--rgb", own / "rgb") == 2
    assert message in capsys.readouterr().err


def test_hub_name_offline(own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert predict(Path("someone/some-model"), tmp_path, "--rgb", own / "rgb") == 2
    assert "neither a local folder nor reachable on the hub" in capsys.readouterr().err


def test_replacing_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")

    def interrupted() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["roadscene", "llvip"])
def test_real_pairs_of_any_size(trained: Path, realdata: Path, tmp_path: Path, name: str) -> None:
    folder = realdata / "unlabelled_pairs" / name
    assert predict(trained, tmp_path, "--rgb", folder / "rgb", "--thermal", folder / "thermal") == 0
    for path in (folder / "rgb").iterdir():
        with Image.open(path) as image, Image.open(tmp_path / "labels" / f"{path.stem}.png") as out:
            assert out.size == image.size


@pytest.fixture
def mine(own: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(own, tmp_path / "mine"))


def label_maps(out: Path) -> dict[str, bytes]:
    return {
        path.name: np.asarray(open_image(path)).tobytes() for path in (out / "labels").iterdir()
    }


def swap_first_two(folder: Path) -> None:
    """Exchange two images of one size, times included."""
    first, second = sorted(folder.iterdir())[:2]
    times = [(p.stat().st_atime_ns, p.stat().st_mtime_ns) for p in (first, second)]
    first.rename(folder / "third")
    second.rename(first)
    (folder / "third").rename(second)
    for path, time in zip((first, second), times, strict=True):
        os.utime(path, ns=time)


def test_other_images_are_predicted_anew(trained: Path, mine: Path, tmp_path: Path) -> None:
    """What is kept of other pictures, or of one camera less, is no answer."""
    kept, fresh = tmp_path / "kept", tmp_path / "fresh"
    rgb, both = ("--rgb", mine / "rgb"), ("--rgb", mine / "rgb", "--thermal", mine / "thermal")
    assert predict(trained, kept, *rgb) == 0
    before = label_maps(kept)
    assert predict(trained, kept, *both) == 0
    assert label_maps(kept) != before
    swap_first_two(mine / "rgb")
    assert predict(trained, kept, *both) == predict(trained, fresh, *both) == 0
    assert label_maps(kept) == label_maps(fresh)
    summaries = [read_json(folder / "summary.json") for folder in (kept, fresh)]
    assert summaries[0] == summaries[1]


def test_an_image_that_broke_leaves_no_old_labels(
    trained: Path, mine: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert predict(trained, out, "--rgb", mine / "rgb") == 0
    broken = sorted((mine / "rgb").iterdir())[0]
    broken.write_bytes(broken.read_bytes()[:100])
    assert predict(trained, out, "--rgb", mine / "rgb") == 1
    assert not (out / "labels" / broken.name).exists()


@pytest.mark.parametrize("kept", [0.5, 0.02, 0.0])
@pytest.mark.parametrize("kind", ["labels", "overlays"])
def test_a_damaged_prediction_is_made_again(
    trained: Path, own: Path, tmp_path: Path, kept: float, kind: str
) -> None:
    assert predict(trained, tmp_path, "--rgb", own / "rgb") == 0
    before = label_maps(tmp_path)
    path = sorted((tmp_path / kind).iterdir())[0]
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    assert predict(trained, tmp_path, "--rgb", own / "rgb") == 0
    assert label_maps(tmp_path) == before
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("--thermal-scaling", "0,100"), "with thermal-scaling 8-bit, not 0,100"),
        (("--rig", "resize"), "with rig none, not resize"),
        (("--tile", "64"), "with tile 1536, not 64"),
    ],
)
def test_other_options_are_not_mixed(
    trained: Path,
    own: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    option: str,
) -> None:
    data = ("--rgb", own / "rgb", "--thermal", own / "thermal")
    assert predict(trained, tmp_path, *data) == 0
    before = label_maps(tmp_path)
    assert predict(trained, tmp_path, *data, *words) == 2
    assert f"holds predictions {option}; give another --out" in capsys.readouterr().err
    (tmp_path / "summary.json").unlink()  # its word alone is not relied on
    (tmp_path / "report.html").unlink()
    assert predict(trained, tmp_path, *data, *words) == 0
    assert predict(trained, tmp_path / "fresh", *data, *words) == 0
    assert label_maps(tmp_path) == label_maps(tmp_path / "fresh")
    assert before.keys() == label_maps(tmp_path).keys()


@pytest.mark.parametrize("kind", ["labels", "overlays"])
def test_foreign_files_are_neither_taken_nor_overwritten(
    trained: Path, mine: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    """The truth of a data set is no prediction."""
    if kind != "labels":
        (mine / "labels").rename(mine / kind)
    truth = {path: path.read_bytes() for path in (mine / kind).iterdir()}
    assert predict(trained, mine, "--rgb", mine / "rgb", "--thermal", mine / "thermal") == 2
    error = capsys.readouterr().err
    assert "would be taken for a prediction; give another --out" in error
    assert len(error.strip().splitlines()) == 1
    assert {path: path.read_bytes() for path in (mine / kind).iterdir()} == truth
    assert not (mine / "summary.json").exists()


def test_another_verbs_report_is_not_overwritten(
    trained: Path, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (trained / "report.html").read_bytes()
    assert predict(trained, trained, "--rgb", own / "rgb") == 2
    assert "holds another report; give another --out" in capsys.readouterr().err
    assert (trained / "report.html").read_bytes() == before


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ({}, "no image was given; give rgb, thermal or both"),
        ({"rgb": [1, 2]}, "rgb: a list of 2; predict takes one image"),
        ({"thermal": {1: 2}}, "thermal: a dict; give a path, a PIL image or a numpy"),
    ],
)
def test_what_is_no_image_is_told_what_it_is(
    trained: Path, images: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        samantic.load(trained).predict(**images)
