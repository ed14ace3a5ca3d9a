"""Exports that are broken, or made to harm: one line, status 2, and nothing outside of OUT."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from samantic.cli import main
from tests.convert import exports
from tests.convert.exports import SIZE, Shape, dump

ONE = {"a": [Shape(1, 5, 30, (9, 12, 7))]}
Change = Callable[[Any], Any]


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Convert, and give the one line that refuses it."""

    def line(source: Path, *words: str) -> str:
        before = sorted(p for p in tmp_path.rglob("*"))
        capsys.readouterr()
        assert main(["convert", str(source), "--out", str(tmp_path / "out"), *words]) == 2
        (told,) = capsys.readouterr().err.splitlines()
        new = [p for p in sorted(tmp_path.rglob("*")) if p not in before]
        assert all(p.is_relative_to(tmp_path / "out") for p in new)
        return told

    return line


def edit(path: Path, change: Change) -> Path:
    value = json.loads(path.read_text())
    return dump(path, change(value) or value)


def put(*keys: Any, value: Any) -> Change:
    """Set a value deep inside."""

    def change(whole: Any) -> None:
        for key in keys[:-1]:
            whole = whole[key]
        whole[keys[-1]] = value

    return change


def drop(*keys: Any) -> Change:
    def change(whole: Any) -> None:
        for key in keys[:-1]:
            whole = whole[key]
        del whole[keys[-1]]

    return change


SEGMENT = ("annotations", 0, "segmentation")
COCO: dict[str, tuple[Change, str]] = {
    "too large": (put("images", 0, "width", value=10**9), "pixels are too many"),
    "no size": (put("images", 0, "width", value="x"), "is no size in pixels"),
    "negative": (put("images", 0, "height", value=-4), "is no size in pixels"),
    "leads out": (put("images", 0, "file_name", value="../../a.jpg"), "leads out of its folder"),
    "absolute": (put("images", 0, "file_name", value="/etc/a.jpg"), "leads out of its folder"),
    "a drive": (put("images", 0, "file_name", value="C:\\a.jpg"), "leads out of its folder"),
    "a zero": (put("images", 0, "file_name", value="a\0.jpg"), "a name that no file can have"),
    "half a letter": (put("images", 0, "file_name", value="\ud800.jpg"), "that no file can have"),
    "long": (put("images", 0, "file_name", value="a" * 300), "a name that no file can have"),
    "no name": (put("images", 0, "file_name", value=None), "names no image file"),
    "a name is missing": (drop("images", 0, "file_name"), "has no 'file_name'"),
    "category": (put("annotations", 0, "category_id", value=99), "category 99 is not in"),
    "image": (put("annotations", 0, "image_id", value=99), "an annotation of image 99"),
    "three numbers": (put(*SEGMENT, value=[[1, 2, 3]]), "no list of x, y"),
    "no number": (put(*SEGMENT, value=[[1, 2, 3, 4, 5, "x"]]), "no list of numbers"),
    "far": (put(*SEGMENT, value=[[0, 0, 1e12, 0, 0, 1e12]]), "far beyond the image"),
    "nan": (put(*SEGMENT, value=[[0, 0, float("nan"), 0, 0, 9]]), "no list of x, y"),
    "text": (put(*SEGMENT, value="x"), "annotation 1"),
    "runs": (put(*SEGMENT, value={"size": [48, 64], "counts": [1, 2]}), "run lengths of 3 pixels"),
    "below zero": (put(*SEGMENT, value={"size": [48, 64], "counts": [-1, 3073]}), "below zero"),
    "huge runs": (put(*SEGMENT, value={"size": [48, 64], "counts": [1e300]}), "run lengths of"),
    "packed": (put(*SEGMENT, value={"size": [48, 64], "counts": "oooo"}), "cut off"),
    "no text": (put(*SEGMENT, value={"size": [48, 64], "counts": "\t"}), "not COCO's text"),
    "size": (put(*SEGMENT, value={"size": [9, 9], "counts": [81]}), "a mask of 9x9 pixels"),
    "a list": (put("categories", value=[7]), "does not follow its format"),
    "one class": (put("categories", 0, "name", value="Person"), "differ in letter case only"),
}


@pytest.mark.parametrize("kind", COCO)
def test_coco(kind: str, tmp_path: Path, refused: Callable[..., str]) -> None:
    change, told = COCO[kind]
    path = edit(exports.coco(tmp_path / "export", ONE, "polygons"), change)
    line = refused(path)
    assert told in line
    assert str(path) in line or kind == "one class"


LABELME: dict[str, tuple[Change, str]] = {
    "too large": (put("imageHeight", value=10**7), "pixels are too many"),
    "no points": (put("shapes", 0, "points", value=[]), "no pairs of numbers"),
    "infinite": (put("shapes", 0, "points", 0, value=[1e999, 2]), "no pairs of numbers"),
    "ragged": (put("shapes", 0, "points", 0, value=[1]), "no pairs of numbers"),
    "no label": (drop("shapes", 0, "label"), "has no 'label'"),
    "null label": (put("shapes", 0, "label", value=None), "shape 1 has no label"),
    "three corners": (put("shapes", 0, "shape_type", value="rectangle"), "points in place of two"),
    "a shape": (put("shapes", 0, value=3), "does not follow its format"),
    "name": (put("imagePath", value="photos/.."), "leads out of its folder"),
}


@pytest.mark.parametrize("kind", LABELME)
def test_labelme(kind: str, tmp_path: Path, refused: Callable[..., str]) -> None:
    change, told = LABELME[kind]
    source = exports.labelme(tmp_path / "export", ONE, "polygon")
    (source / "a.jpg").unlink()
    edit(source / "a.json", change)
    assert told in refused(source)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("!!", "no base64"),
        (base64.b64encode(b"no png").decode(), "no readable PNG"),
        (base64.b64encode(exports.png(Image.new("1", (9, 9)))).decode(), "of another size"),
    ],
)
def test_masks_in_json(data: str, told: str, tmp_path: Path, refused: Callable[..., str]) -> None:
    source = exports.labelme(tmp_path / "export", ONE, "mask")
    edit(source / "a.json", put("shapes", 0, "mask", value=data))
    assert told in refused(source)


def bomb() -> str:
    """A PNG that says it has 60000x60000 pixels."""
    data = bytearray(exports.png(Image.new("1", (9, 9))))
    data[16:24] = (60000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return base64.b64encode(zlib.compress(bytes(data))).decode()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (bomb(), "pixels"),
        (base64.b64encode(b"xyz").decode(), "not zlib data in base64"),
        (base64.b64encode(zlib.compress(bytes(100_000_000), 9)).decode(), "no readable PNG"),
    ],
)
def test_bitmaps(data: str, told: str, tmp_path: Path, refused: Callable[..., str]) -> None:
    source = exports.supervisely(tmp_path / "export", ONE, "bitmap")
    path = source / "ds0" / "ann" / "a.jpg.json"
    edit(path, put("objects", 0, "bitmap", "data", value=data))
    assert told in refused(source)


VALUE = (0, "annotations", 1, "result", 0, "value")


def cut(whole: Any) -> None:
    del whole[0]["annotations"][1]["result"][0]["value"]["rle"][40:]


BRUSH: dict[str, tuple[Change, str]] = {
    "bytes": (put(*VALUE, "rle", value=[999]), "no list of bytes"),
    "breaks off": (cut, "cut off"),
    "huge": (put(*VALUE, "rle", value=[255] * 40), "a brush of 4294967295 values"),
    "turned": (put(*VALUE[:-1], "image_rotation", value=90), "the image was turned"),
    "image": (put(0, "data", value={"image": "/data/x"}), "no field names its image"),
    "no area": (put(*VALUE[:-1], "type", value="keypointlabels"), "no object with an area"),
    "predicted": (
        put(0, value={"data": {"image": "a.jpg"}, "annotations": [], "predictions": [{}]}),
        "without a labelled picture (1 tasks with predictions alone)",
    ),
}


@pytest.mark.parametrize("kind", BRUSH)
def test_label_studio(kind: str, tmp_path: Path, refused: Callable[..., str]) -> None:
    change, told = BRUSH[kind]
    path = edit(exports.label_studio(tmp_path / "export", ONE, "brush"), change)
    assert told in refused(path)


LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
IMAGE = '<image name="a.jpg" width="64" height="48">'
XML = {
    f"{LAUGHS}<annotations>&b;</annotations>": "has a document type",
    f"{OUTSIDE}<annotations>&a;</annotations>": "has a document type",
    "<annotations><image></annotations>": "not valid XML (mismatched tag",
    f"<annotations>{'<x>' * 60}{'</x>' * 60}</annotations>": "nested too deeply",
    "<annotations><track/></annotations>": "export it as 'CVAT for images 1.1'",
    "<annotations></annotations>": "without a labelled picture",
    "<annotations><image/></annotations>": "names no image file",
    f'<annotations>{IMAGE}<polygon label="a" points="1,2;3"/></image></annotations>': "no pairs",
    f'<annotations>{IMAGE}<box label="a" xtl="x"/></image></annotations>': "'x' is no number",
    f'<annotations>{IMAGE}<ellipse label="a" cx="1" cy="1" rx="inf" ry="0"/></image>'
    "</annotations>": "not finite",
    f'<annotations>{IMAGE}<box label="a"/></image></annotations>': "has no 'xtl'",
    f'<annotations>{IMAGE}<mask label="a" rle="9" left="0" top="0" width="99999999" '
    'height="99999999"/></image></annotations>': "99999999x99999999",
    f'<annotations>{IMAGE}<mask label="a" rle="{10**15}" left="0" top="0" width="100000000" '
    'height="10000000"/></image></annotations>': "too many",
    IMAGE.join(["<annotations>", '<box label="a" z_order="x"/></image></annotations>']): "z_order",
}


@pytest.mark.parametrize("text", XML)
def test_xml(text: str, tmp_path: Path, refused: Callable[..., str]) -> None:
    path = tmp_path / "export" / "annotations.xml"
    path.parent.mkdir()
    path.write_text(text)
    line = refused(path)
    assert XML[text] in line
    assert str(path) in line


def test_broken_json(tmp_path: Path, refused: Callable[..., str]) -> None:
    (tmp_path / "a.json").write_text('{"images": [')
    assert "a.json: not valid JSON (line 1" in refused(tmp_path / "a.json")
    (tmp_path / "a.json").write_text("[" * 100_000)
    assert "a.json: not valid JSON" in refused(tmp_path / "a.json")
    assert "no such file or folder" in refused(tmp_path / "b.json")


def test_unknown_classes(tmp_path: Path, refused: Callable[..., str]) -> None:
    path = exports.coco(tmp_path / "export", ONE, "polygons")
    assert "class 'person' is none of background, car" in refused(
        path, "--classes", "background,car"
    )


def test_images(tmp_path: Path, refused: Callable[..., str]) -> None:
    two = ONE | {"b": []}
    source = exports.labelme(tmp_path / "export", two, "polygon")
    (source / "b.jpg").unlink()
    assert "b has labels, but no image there; correct --images, or leave these" in refused(source)
    words = ["--allow-unpaired", "--classes", "background,person"]
    assert main(["convert", str(source), "--out", str(tmp_path / "kept"), *words]) == 0
    assert [p.name for p in (tmp_path / "kept" / "labels").iterdir()] == ["a.png"]
    exports.save_image(source / "b.jpg", (20, 20))
    assert "labelled at 64x48 pixels, but its image has 20x20" in refused(source)
    (source / "b.jpg").write_bytes(b"no image")
    assert "not a readable image" in refused(source)
    exports.save_image(source / "x" / "b.jpg")
    exports.save_image(source / "y" / "b.jpg")
    (source / "b.jpg").unlink()
    assert "its image may be" in refused(source)


def test_label_images(tmp_path: Path, refused: Callable[..., str]) -> None:
    (tmp_path / "m").mkdir()
    path = tmp_path / "m" / "a.png"
    Image.fromarray(np.full(SIZE, 9, np.uint8)).save(path)
    assert "id '9' is none of a, b" in refused(tmp_path / "m", "--classes", "a,b")
    Image.new("RGB", (64, 48), (1, 2, 3)).save(path)
    assert "holds colours, no ids" in refused(tmp_path / "m", "--classes", "a,b")
    Image.new("RGB", (64, 48)).save(tmp_path / "m" / "a.jpg")
    path.unlink()
    assert "saved as JPEG" in refused(tmp_path / "m", "--classes", "a,b")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- 7", "no map; write a line"),
        ("7: [1", "not valid YAML"),
        ("7: 3.5", "3.5 is no class"),
        ("7: 4", "4 is no class"),
        ("true: a", "is no name, id or colour"),
        ("'#12': a", "is not a colour"),
        ("7: a\nb: [7]", "7 is mapped twice"),
        ("7: tree", "'tree' is none of --classes (a, b)"),
    ],
)
def test_maps(text: str, told: str, tmp_path: Path, refused: Callable[..., str]) -> None:
    (tmp_path / "map.yaml").write_text(text)
    line = refused(tmp_path, "--classes", "a,b", "--map", str(tmp_path / "map.yaml"))
    assert told in line


def test_recordings_take_no_classes(tmp_path: Path, refused: Callable[..., str]) -> None:
    (tmp_path / "m").mkdir()
    told = refused(tmp_path / "m", "--classes", "a,b")
    assert "no labels of a known format, which --classes is for" in told
