"""CVAT for images 1.1: XML with an element for each image, which contains its shapes.

Shapes are polygon (points="x,y;x,y"), box (xtl, ytl, xbr, ybr, rotation), ellipse (cx, cy, rx, ry,
rotation) and mask. A mask has rle="3, 5, ...": run lengths along the rows of the box left, top,
width, height, outside pixels first. Shapes are drawn by z_order, and within one z_order in the
order of the file, so the highest is on top. Lines, points, cuboids and skeletons have no area. Tags
belong to the whole image.

https://docs.cvat.ai/docs/dataset_management/formats/format-cvat and .../docs/other/xml_format
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element  # only for type annotations

from samantic.convert.export import Drawing, Export, Picture, settle_size, stem_of, told
from samantic.convert.formats.documents import files_of, in_order, read_xml, split_of
from samantic.convert.regions import Patch, Size, box, ellipse, polygon, runs
from samantic.convert.request import Request
from samantic.errors import InputError

TITLE = "CVAT for images 1.1 (XML)"


def finds(source: Path) -> bool:
    """Whether a file, or one below a folder, has this format."""
    return any(_is_cvat(path) for path in files_of(source, ".xml"))


def read(source: Path, request: Request) -> Export:
    """Read an export: a file, or all files of this format below a folder.

    Raises:
        InputError: The export is broken, or annotates a video.
    """
    names: list[list[str]] = []
    pictures: list[Picture] = []
    skipped: Counter[str] = Counter()
    for path in files_of(source, ".xml"):
        if not _is_cvat(path):
            continue
        root = read_xml(path)
        if root.find("track") is not None:
            raise InputError(f"{path}: CVAT for video; export it as 'CVAT for images 1.1'")
        names.append([label.text or "" for label in root.iterfind("meta//label/name")])
        names.append([shape.get("label", "") for shape in root.iterfind("image/*[@label]")])
        with told(str(path)):
            for image in root.iterfind("image"):
                pictures.append(_picture(path, image, source, skipped))
    folders = [source if source.is_dir() else source.parent]
    return Export(TITLE, in_order(names), pictures, folders, skipped=skipped)


def _is_cvat(path: Path) -> bool:
    """Whether an XML file begins as CVAT's do; the rest may still be broken."""
    with path.open("rb") as file:
        return b"<annotations" in file.read(1 << 16)


def _picture(path: Path, image: Element, source: Path, skipped: Counter[str]) -> Picture:
    where = f"{path}, image {image.get('name')}"
    declared = [_whole(image.get(key), where) for key in ("height", "width")]

    def draw(known: Size | None) -> Drawing:
        size = settle_size(declared, known, where)
        return Drawing(size, _patches(image, size, where, skipped))

    split = split_of(Path(image.get("subset") or "-"), Path()) or split_of(path, source)
    return Picture(stem_of(image.get("name"), where), where, draw, split)


def _whole(text: str | None, where: str) -> int | None:
    with told(f"{where}: its size"):
        return None if text is None else int(text)


def _patches(image: Element, size: Size, where: str, skipped: Counter[str]) -> Iterator[Patch]:
    with told(f"{where}: z_order"):
        shapes = sorted(image, key=lambda shape: int(shape.get("z_order") or 0))
    for shape in shapes:
        if shape.tag == "tag":
            continue
        label = shape.get("label", "")
        with told(f"{where}, {shape.tag} ({label})"):
            if shape.tag == "mask":
                yield _mask(shape.attrib, label)
            elif shape.tag in ("polygon", "box", "ellipse"):
                yield polygon(label, _ring(shape), size)
            else:
                skipped[f"shapes without an area ({shape.tag})"] += 1


def _ring(shape: Element) -> Any:
    if shape.tag == "polygon":
        return [point.split(",") for point in shape.attrib["points"].split(";")]
    keys = ("xtl", "ytl", "xbr", "ybr") if shape.tag == "box" else ("cx", "cy", "rx", "ry")
    a, b, c, d = (float(shape.attrib[key]) for key in keys)
    turn = float(shape.get("rotation") or 0)
    return box(a, b, c, d, turn) if shape.tag == "box" else ellipse(a, b, c, d, turn)


def _mask(values: dict[str, str], label: str) -> Patch:
    left, top, width, height = (
        int(float(values[key])) for key in ("left", "top", "width", "height")
    )
    counts = [int(part) for part in values["rle"].split(",")]
    if min(width, height) < 1 or width * height > sum(counts):
        raise ValueError(f"a mask of {width}x{height} pixels with {sum(counts)} run")
    return Patch(label, runs(counts, (height, width), columns_first=False), top, left)
