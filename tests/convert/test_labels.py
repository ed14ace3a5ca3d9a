"""Labels of every tool, written in its true form and read back to the pixel."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image, ImageDraw
from pycocotools import mask as packed

from samantic.cli import main
from samantic.convert.formats.coco import unpack_counts
from samantic.convert.regions import polygon
from samantic.data import PairedFolder
from tests.convert import exports
from tests.convert.exports import NAMES, SIZE, Shape, painted, save_image, scene

SCENES = {f"frame {i}": scene(i) for i in range(3)}
VOC_COLOURS = {"background": "0,0,0", "person": "128,0,0", "car": "0,128,0"}

WRITERS: dict[str, Callable[[Path], Path]] = {
    "coco polygons": lambda root: exports.coco(root, SCENES, "polygons").parents[1],
    "coco list": lambda root: exports.coco(root, SCENES, "list").parents[1],
    "coco packed": lambda root: exports.coco(root, SCENES, "packed").parents[1],
    "coco panoptic": lambda root: exports.panoptic(root, SCENES).parent,
    "labelme polygon": lambda root: exports.labelme(root, SCENES, "polygon"),
    "labelme mask": lambda root: exports.labelme(root, SCENES, "mask"),
    "cvat polygon": lambda root: exports.cvat(root, SCENES, "polygon"),
    "cvat mask": lambda root: exports.cvat(root, SCENES, "mask"),
    "cvat masks": lambda root: exports.cvat_masks(root, SCENES, VOC_COLOURS),
    "label studio polygon": lambda root: exports.label_studio(root, SCENES, "polygon").parent,
    "label studio brush": lambda root: exports.label_studio(root, SCENES, "brush").parent,
    "supervisely polygon": lambda root: exports.supervisely(root, SCENES, "polygon"),
    "supervisely bitmap": lambda root: exports.supervisely(root, SCENES, "bitmap"),
    "roboflow": lambda root: exports.roboflow(root, SCENES),
}


def convert(source: Path, out: Path, *words: str) -> int:
    return main(["convert", str(source), "--out", str(out), *words])


def labels(out: Path) -> dict[str, np.ndarray]:
    return {p.stem: np.asarray(Image.open(p)) for p in sorted((out / "labels").iterdir())}


@pytest.mark.parametrize("kind", WRITERS)
def test_round_trip(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = WRITERS[kind](tmp_path / "export")
    words = ["--classes", ",".join(NAMES)]
    assert convert(source, tmp_path / "out", *words) == 0
    assert "background" in capsys.readouterr().out
    found = labels(tmp_path / "out")
    assert [name.split("_jpg")[0] for name in found] == list(SCENES)
    for label, shapes in zip(found.values(), SCENES.values(), strict=True):
        assert (label == painted(shapes)).all()
    data = yaml.safe_load((tmp_path / "out" / "data.yaml").read_text())["data"]
    assert data["classes"] == list(NAMES)
    assert len(list((tmp_path / "out" / "rgb").iterdir())) == 3


@pytest.mark.parametrize("kind", WRITERS)
def test_classes_of_the_export(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --classes the export's names are taken, and the command that is printed works."""
    source = WRITERS[kind](tmp_path / "export")
    assert convert(source, tmp_path / "out") == 0
    data = yaml.safe_load((tmp_path / "out" / "data.yaml").read_text())["data"]
    assert sorted(data["classes"]) == sorted(NAMES)
    assert data["classes"][0] == "background"
    truth = [NAMES[v] for v in painted(SCENES["frame 1"]).ravel()]
    found = next(v for name, v in labels(tmp_path / "out").items() if name.startswith("frame 1"))
    assert [data["classes"][v] for v in found.ravel()] == truth
    lines = capsys.readouterr().out.splitlines()
    command = next(line for line in lines if line.startswith("samantic check")).split(" --")
    words = [word.strip("'\"") for part in command[1:] for word in f"--{part}".split(" ", 1)]
    assert main(["check", *words, "--out", str(tmp_path / "check")]) == 0


def test_splits_of_the_export_become_lists(tmp_path: Path) -> None:
    assert convert(exports.roboflow(tmp_path / "export", SCENES), tmp_path / "out") == 0
    names = [(tmp_path / "out" / f"{part}.txt").read_text() for part in ("train", "val", "test")]
    assert [name.split("_jpg")[0] for name in names] == list(SCENES)
    data = yaml.safe_load((tmp_path / "out" / "data.yaml").read_text())["data"]
    assert [data[part] for part in ("train", "val", "test")] == ["train", "val", "test"]


def test_thermal_images_make_pairs(tmp_path: Path) -> None:
    source = exports.labelme(tmp_path / "export", SCENES, "polygon")
    for name in SCENES:
        path = tmp_path / "heat" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full(SIZE, 77, np.uint8)).save(path)
    words = ["--thermal", str(tmp_path / "heat"), "--images", str(source)]
    assert convert(source, tmp_path / "out", *words) == 0
    data = PairedFolder(tmp_path / "out", "pairs", "all", classes=NAMES)
    assert len(data) == 3
    assert data[0].thermal is not None


def test_polygons_are_drawn_by_their_centres() -> None:
    """An independent reference: every centre by the crossing number, one by one."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        ring = rng.uniform(-10, 70, (7, 2))
        canvas = np.zeros(SIZE, np.uint8)
        polygon("a", ring, SIZE).paint(canvas, 1)
        for y, x in np.ndindex(*SIZE):
            inside = False
            for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
                if (y0 > y + 0.5) != (y1 > y + 0.5):
                    inside ^= x + 0.5 > x0 + (y + 0.5 - y0) * (x1 - x0) / (y1 - y0)
            assert canvas[y, x] == inside


def test_packed_counts_are_cocos() -> None:
    rng = np.random.default_rng(0)
    for share in (0.0, 0.02, 0.5, 1.0):
        mask = np.asfortranarray(rng.random((37, 41)) < share).astype(np.uint8)
        text = packed.encode(mask)["counts"].decode()
        assert unpack_counts(text) == exports.counts_of(mask.ravel(order="F").astype(bool))


def test_holes_parts_and_shapes(tmp_path: Path) -> None:
    """Supervisely's hole, COCO's two parts, CVAT's box and ellipse, LabelMe's rectangle, circle."""
    ring, hole = [[4, 4], [24, 4], [24, 24], [4, 24]], [[8, 8], [12, 8], [12, 20], [8, 20]]
    source = exports.supervisely(tmp_path / "s", {"a": []}, "polygon")
    figure = {"classTitle": "car", "geometryType": "polygon"}
    points = {"exterior": ring, "interior": [hole]}
    value = {"size": {"height": 48, "width": 64}, "objects": [figure | {"points": points}]}
    exports.dump(source / "ds0" / "ann" / "a.jpg.json", value)
    assert convert(source, tmp_path / "1", "--classes", "background,car") == 0
    truth = np.zeros(SIZE, np.uint8)
    truth[4:24, 4:24] = 1
    truth[8:20, 8:12] = 0
    assert (labels(tmp_path / "1")["a"] == truth).all()

    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "a.xml").write_text(
        '<annotations><image name="a.jpg" width="64" height="48">'
        '<box label="car" xtl="4" ytl="4" xbr="24" ybr="10" rotation="90" z_order="1"/>'
        '<ellipse label="car" cx="45" cy="20" rx="9" ry="5"/><polyline label="car" points="1,1"/>'
        '<tag label="car"/></image></annotations>'
    )
    assert convert(tmp_path / "c", tmp_path / "2", "--classes", "background,car") == 0
    y, x = np.mgrid[:48, :64] + 0.5
    truth = ((x - 45) / 9) ** 2 + ((y - 20) / 5) ** 2 < 1
    truth |= (abs(x - 14) < 3) & (abs(y - 7) < 10)
    assert (labels(tmp_path / "2")["a"] != truth).sum() <= 4


def test_the_later_object_lies_on_top(tmp_path: Path) -> None:
    low, high = Shape(1, 5, 40, (30,) * 30), Shape(2, 20, 40, (30,) * 30)
    for place, order in enumerate(([low, high], [high, low])):
        source = exports.coco(tmp_path / f"{place}", {"a": order}, "list")
        assert convert(source, tmp_path / f"out{place}", "--classes", ",".join(NAMES)) == 0
        assert labels(tmp_path / f"out{place}")["a"][20, 25] == order[1].label


PALETTE = {"sky": (0, 0, 0), "road": (128, 128, 128), "car": (255, 255, 255), "tree": (0, 140, 30)}


def smooth(seed: int, kind: str) -> tuple[Image.Image, np.ndarray]:
    """A drawing at four times the size, reduced with and without smoothing."""
    rng = np.random.default_rng(seed)
    large = Image.new("RGB", (1280, 960))
    draw = ImageDraw.Draw(large)
    for _ in range(12):
        colour = list(PALETTE.values())[rng.integers(4)]
        x, y = rng.integers(0, 1200), rng.integers(0, 900)
        draw.ellipse([x, y, x + rng.integers(90, 600), y + rng.integers(90, 600)], fill=colour)
    pixels = np.asarray(large).reshape(240, 4, 320, 4, 3)
    is_class = np.stack([(pixels == c).all(-1).mean((1, 3)) for c in PALETTE.values()])
    return large.resize((320, 240), Image.Resampling[kind]), is_class.argmax(0).astype(np.uint8)


@pytest.mark.parametrize("kind", ["BOX", "BILINEAR", "LANCZOS"])
def test_anti_aliased_colours(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The edge between black and white does not become gray, though there is a class of gray."""
    (tmp_path / "masks").mkdir()
    truth = {}
    for seed in range(3):
        image, truth[str(seed)] = smooth(seed, kind)
        image.save(tmp_path / "masks" / f"{seed}.png")
    colours = ",".join(f"#{bytes(colour).hex()}" for colour in PALETTE.values())
    words = ["--classes", ",".join(PALETTE), "--colors", colours]
    assert convert(tmp_path / "masks", tmp_path / "out", *words) == 0
    for name, found in labels(tmp_path / "out").items():
        assert (found == truth[name]).mean() >= 0.995
    assert "pixels of mixed colours took the nearest class (within 32)" in capsys.readouterr().out


def test_a_colour_of_no_class_does_not_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "masks").mkdir()
    pixels = np.zeros((32, 40, 3), np.uint8)
    pixels[:, 20:] = (255, 0, 0)
    pixels[8:11] = (0, 200, 200)  # every pixel has a class within three pixels
    Image.fromarray(pixels).save(tmp_path / "masks" / "a.png")
    words = ["--classes", "ground,car", "--colors", "#000000,#ff0000"]
    assert convert(tmp_path / "masks", tmp_path / "out", *words) == 0
    truth = np.where(np.arange(40) < 20, 0, 1) * np.ones((32, 1))
    truth[8:11] = 255
    assert (labels(tmp_path / "out")["a"] == truth).all()
    line = "120 pixels of a colour of no class became 255, most of them #00c8c8"
    assert line in capsys.readouterr().out


def save_ids(root: Path, ids: np.ndarray, **options: object) -> Path:
    root.mkdir()
    image = Image.fromarray(ids)
    if "palette" in options:
        image.putpalette(options.pop("palette"))
    image.save(root / "a.png", **options)
    return root


IDS = np.random.default_rng(0).integers(0, 3, (32, 40)).astype(np.uint8)


def test_indexed_png_with_transparency(tmp_path: Path) -> None:
    source = save_ids(
        tmp_path / "m", IDS, palette=[9, 9, 9, 200, 0, 0, 0, 0, 200], transparency=b"\0\x80"
    )
    assert convert(source, tmp_path / "out", "--classes", "a,b,c") == 0
    assert (labels(tmp_path / "out")["a"] == IDS).all()


def test_sparse_ids_of_16_bits_by_a_map(tmp_path: Path) -> None:
    """A map in both ways to write it, with an id of one's own that does not count."""
    source = save_ids(tmp_path / "m", np.array([7, 11000, 65535], np.uint16)[IDS])
    (tmp_path / "map.yaml").write_text("road: [7]\n11000: car\n65535: ignore\n")
    assert convert(source, tmp_path / "out", "--map", str(tmp_path / "map.yaml")) == 0
    assert (labels(tmp_path / "out")["a"] == np.array([0, 1, 255])[IDS]).all()
    (tmp_path / "map.yaml").write_text("7: 1\n11000: 0\nignore: [65535]\n")
    words = ["--map", str(tmp_path / "map.yaml"), "--classes", "car,road"]
    assert convert(source, tmp_path / "out2", *words) == 0
    assert (labels(tmp_path / "out2")["a"] == np.array([1, 0, 255])[IDS]).all()


@pytest.mark.parametrize("mode", ["P", "RGB"])
def test_voc(tmp_path: Path, mode: str) -> None:
    from samantic.data.cards.card import palette

    folder = tmp_path / "VOC2012" / "SegmentationClass"
    folder.mkdir(parents=True)
    table = np.zeros((256, 3), np.uint8)
    table[:21], table[255] = palette(21), (224, 224, 192)
    truth = np.array([0, 7, 15, 255], np.uint8)[np.arange(40 * 32).reshape(32, 40) // 10 % 4]
    image = Image.fromarray(truth)
    image.putpalette(table.ravel().tolist())
    image.convert(mode).save(folder / "2007_000032.png")
    save_image(tmp_path / "VOC2012" / "JPEGImages" / "2007_000032.jpg", (32, 40))
    assert convert(tmp_path / "VOC2012", tmp_path / "out") == 0
    assert (labels(tmp_path / "out")["2007_000032"] == truth).all()
    classes = yaml.safe_load((tmp_path / "out" / "data.yaml").read_text())["data"]["classes"]
    assert (classes[7], classes[15], len(classes)) == ("car", "person", 21)


def test_pixels_without_an_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = exports.labelme(tmp_path / "export", {"a": [Shape(1, 0, 9, (5,))]}, "polygon")
    words = ["--unlabelled", "ignore", "--classes", "person,car"]
    assert convert(source, tmp_path / "out", *words) == 0
    values, counts = np.unique(labels(tmp_path / "out")["a"], return_counts=True)
    assert dict(zip(values.tolist(), counts.tolist(), strict=True)) == {0: 5, 255: 48 * 64 - 5}
    assert "does not count  no object" in capsys.readouterr().out


def test_a_map_joins_classes(tmp_path: Path) -> None:
    source = exports.coco(tmp_path / "export", SCENES, "polygons")
    (tmp_path / "map.yaml").write_text("person: thing\ncar: thing\n")
    words = ["--map", str(tmp_path / "map.yaml"), "--images", str(tmp_path / "export" / "images")]
    assert convert(source, tmp_path / "out", *words) == 0
    for found, shapes in zip(labels(tmp_path / "out").values(), SCENES.values(), strict=True):
        assert (found == (painted(shapes) > 0)).all()


@pytest.mark.parametrize("kind", WRITERS)
def test_check_prints_the_command(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`check` knows every format, and the command that it prints converts it."""
    source = WRITERS[kind](tmp_path / "my export")
    words = ["check", "--data", str(source), "--out", str(tmp_path / "check")]
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert main([*words, "--layout", "pairs"]) == 2
    assert line.removeprefix("samantic: ") in capsys.readouterr().out
    command = shlex.split(line.split("convert it by: ")[1])
    assert command[:2] == ["samantic", "convert"]
    assert main(command[1:]) == 0
    assert len(list((tmp_path / "my export-pairs" / "labels").iterdir())) == 3


def test_check_finds_labels_among_the_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "own"
    for name in SCENES:
        save_image(root / "rgb" / f"{name}.png")
        (root / "thermal").mkdir(exist_ok=True)
        Image.fromarray(np.full(SIZE, 9, np.uint8)).save(root / "thermal" / f"{name}.png")
    exports.labelme(root / "labels", SCENES, "polygon")
    for path in (root / "labels").glob("*.jpg"):
        path.unlink()
    words = ["check", "--data", str(root), "--layout", "pairs", "--classes", ",".join(NAMES)]
    assert main([*words, "--out", str(tmp_path / "check")]) == 2
    line = next(x for x in capsys.readouterr().out.splitlines() if "convert it by" in x)
    assert main(shlex.split(line.split("convert it by: ")[1])[1:]) == 0
    out = tmp_path / "own-pairs"
    words = ["check", "--data", str(out), "--layout", "pairs", "--classes", ",".join(NAMES)]
    assert main([*words, "--out", str(tmp_path / "check2")]) == 0


def test_check_names_label_images_in_colours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "own"
    for kind in ("rgb", "labels"):
        save_image(root / kind / "a.png")
    words = ["check", "--data", str(root), "--layout", "pairs", "--classes", ",".join(NAMES)]
    assert main([*words, "--rgb", "rgb", "--out", str(tmp_path / "check")]) == 2
    assert "label images in colours; convert it by: samantic convert" in capsys.readouterr().out


def test_check_needs_a_layout_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--data", str(tmp_path)]) == 2
    assert "--layout: say how the files lie, one of mfnet, " in capsys.readouterr().err


def test_colours_by_a_map(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    table = np.array([(0, 0, 0), (255, 0, 0), (0, 0, 255)], np.uint8)
    pixels = np.dstack([table[IDS], np.where(IDS == 0, 0, 255).astype(np.uint8)])
    Image.fromarray(pixels).save(tmp_path / "m" / "a.png")
    (tmp_path / "map.yaml").write_text(
        "car: ['#FF0000']\n'#0000ff': sky\nbackground: ['#000000']\n"
    )
    assert convert(tmp_path / "m", tmp_path / "out", "--map", str(tmp_path / "map.yaml")) == 0
    assert (labels(tmp_path / "out")["a"] == np.array([2, 0, 1])[IDS]).all()


def test_label_studio_as_others_write_it(tmp_path: Path) -> None:
    """JSON-MIN; and a region whose label stands in a result of its own."""
    sizes = {"original_width": 64, "original_height": 48}
    points = [[100 * x / 64, 100 * y / 48] for x, y in SCENES["frame 0"][0].ring]
    small = {
        "image": "s3://b/c/a.png",
        "tag": [{**sizes, "points": points, "polygonlabels": ["x"]}],
    }
    shape = {"id": "q", **sizes, "type": "polygon", "value": {"points": points}}
    label = {"id": "q", **sizes, "type": "labels", "value": {"points": points, "labels": ["x"]}}
    task = {
        "data": {"i": "/data/local-files/?d=f/b.png"},
        "annotations": [{"result": [shape, label]}],
    }
    exports.dump(tmp_path / "m" / "export.json", [small, task])
    assert convert(tmp_path / "m", tmp_path / "out") == 0
    found = labels(tmp_path / "out")
    assert sorted(found) == ["a", "b"]
    assert all((one == SCENES["frame 0"][0].mask).all() for one in found.values())


def test_images_of_one_name_in_several_folders(tmp_path: Path) -> None:
    source = exports.coco(tmp_path / "export", SCENES, "polygons")
    value = json.loads(source.read_text())
    for number, image in enumerate(value["images"]):
        image["file_name"] = f"cam{number}/0001.jpg"
        save_image(tmp_path / "photos" / f"cam{number}" / "0001.JPG")
    exports.dump(source, value)
    words = ["--images", str(tmp_path / "photos"), "--classes", ",".join(NAMES)]
    assert convert(source, tmp_path / "out", *words) == 0
    found = labels(tmp_path / "out")
    assert list(found) == ["cam0-0001", "cam1-0001", "cam2-0001"]
    assert (found["cam1-0001"] == painted(SCENES["frame 1"])).all()
    assert (tmp_path / "out" / "rgb" / "cam1-0001.JPG").is_file()


def test_another_export_is_not_written_over_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("1", "2"):
        exports.coco(tmp_path / name, SCENES, "list")
    assert convert(tmp_path / "1", tmp_path / "out") == 0
    assert convert(tmp_path / "1", tmp_path / "out") == 0
    assert convert(tmp_path / "2", tmp_path / "out") == 2
    assert "holds labels made from other inputs (source" in capsys.readouterr().err
    (tmp_path / "a.zip").touch()
    assert convert(tmp_path / "a.zip", tmp_path / "out") == 2
    assert "a.zip: an archive; unpack it" in capsys.readouterr().err


def test_label_studio_s_bitmasks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """BitmaskLabels: black on transparent, a PNG in a data address; and a region of two labels."""
    shape = SCENES["frame 0"][0]
    rgba = np.zeros((*SIZE, 4), np.uint8)
    rgba[..., 3] = 255 * shape.mask
    data = base64.b64encode(exports.png(Image.fromarray(rgba))).decode()
    value = {"imageDataURL": f"data:image/png;base64,{data}", "bitmasklabels": ["car", "van"]}
    result = {"original_width": 64, "original_height": 48, "type": "bitmasklabels", "value": value}
    tasks = [{"id": 1, "data": {"image": "a.png"}, "annotations": [{"result": [result]}]}]
    path = exports.dump(tmp_path / "in" / "export.json", tasks)
    assert convert(path, tmp_path / "out") == 0
    assert (labels(tmp_path / "out")["a"] == shape.mask).all()
    assert "1 regions have several labels, of which the first counts" in capsys.readouterr().out


def test_rectangles_of_supervisely_end_with_a_pixel(tmp_path: Path) -> None:
    """Its SDK's Rectangle.from_size(48, 64) has the corners 0, 0 and 63, 47; floats are rounded."""
    root = exports.supervisely(tmp_path / "in", {"a": [], "b": []}, "rectangle")
    for name, corners in {"a": [[0, 0], [63, 47]], "b": [[9.8, 5.2], [3, 2]]}.items():
        path = root / "ds0" / "ann" / f"{name}.jpg.json"
        value = json.loads(path.read_text())
        points = {"exterior": corners, "interior": []}
        value["objects"] = [{"classTitle": "car", "geometryType": "rectangle", "points": points}]
        exports.dump(path, value)
    assert convert(root, tmp_path / "out", "--classes", "background,car") == 0
    found = labels(tmp_path / "out")
    assert found["a"].all()
    assert found["b"][2:6, 3:11].all()
    assert found["b"].sum() == 4 * 8


def test_rectangles_of_four_points_and_turned_ones(tmp_path: Path) -> None:
    """As AnyLabeling writes them."""
    exports.labelme(tmp_path / "in", {"a": []}, "polygon")
    path = tmp_path / "in" / "a.json"
    value = json.loads(path.read_text())
    corners = [[10, 5], [20, 5], [20, 9], [10, 9]]
    diamond = [[40, 20], [48, 28], [40, 36], [32, 28]]
    value["shapes"] = [
        {"label": "car", "shape_type": "rectangle", "points": corners},
        {"label": "car", "shape_type": "rotation", "points": diamond, "direction": 0.785},
    ]
    exports.dump(path, value)
    assert convert(path, tmp_path / "out") == 0
    found = labels(tmp_path / "out")["a"]
    assert found[5:9, 10:20].all()
    assert found[:15].sum() == 40
    assert found[15:].sum() == 16 * 16 // 2


def test_keypoints_beside_instances(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """COCO's own annotations: one file of instances and one of keypoints, of the same images."""
    path = exports.coco(tmp_path / "in", SCENES, "polygons")
    value = json.loads(path.read_text())
    value["categories"] = [{"id": i, "name": "person", "keypoints": ["nose"]} for i in (10, 20)]
    exports.dump(path.with_name("person_keypoints.json"), value)
    assert convert(tmp_path / "in", tmp_path / "out", "--classes", ",".join(NAMES)) == 0
    assert (labels(tmp_path / "out")["frame 1"] == painted(SCENES["frame 1"])).all()
    assert "1 files of keypoints, beside those of masks" in capsys.readouterr().out


class Line(Shape):
    """A polygon with a click too few."""

    @property
    def mask(self) -> np.ndarray:
        return np.zeros(SIZE, bool)

    @property
    def ring(self) -> list[tuple[int, int]]:
        return [(self.left, self.base), (self.left + 9, self.base - 20)]


@pytest.mark.parametrize("tool", ["coco", "labelme", "cvat", "label_studio", "supervisely"])
def test_a_polygon_of_two_points_has_no_pixel(
    tool: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is counted, and the others are drawn."""
    shapes = [*exports.scene(3), Line(1, 10, 40, (1, 1, 1))]
    kind = "polygons" if tool == "coco" else "polygon"
    made = getattr(exports, tool)(tmp_path / "in", {"a": shapes}, kind)
    assert main(["convert", str(made), "--out", str(tmp_path / "out")]) == 0
    assert (
        "objects without a pixel (a line, or outside of the picture): 1" in capsys.readouterr().out
    )
    drawn = np.asarray(Image.open(tmp_path / "out" / "labels" / "a.png"))
    assert ((drawn > 0) == (painted(shapes) > 0)).all()
