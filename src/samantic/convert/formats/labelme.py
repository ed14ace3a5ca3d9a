"""LabelMe JSON: a file for each image, with `shapes` of points.

`shape_type` is polygon, rectangle, circle or mask; lines and points have no area. A rectangle has
two corners; AnyLabeling writes all four, and a rotated one as rotation. A circle has its centre and
a point on it. A mask is a PNG in base64 with the two corners of its place, both inside. Shapes are
drawn in the order of the file, so the later of two covers the earlier. `imagePath` gives the
image's name; its folders are those of the machine where it was labelled.

https://github.com/wkentaro/labelme, labelme/_label_file.py and utils/shape.py
"""

from __future__ import annotations

import base64
import binascii
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from samantic.convert.export import Drawing, Export, Picture, last_stem, settle_size, told
from samantic.convert.formats.documents import files_of, load_json, split_of
from samantic.convert.formats.pictures import mask_of_png
from samantic.convert.regions import Patch, Size, box, ellipse, polygon, two_points
from samantic.convert.request import Request

TITLE = "LabelMe JSON"

AREAS = ("polygon", "rectangle", "rotation", "oriented_rectangle", "circle")


def claims(value: Any) -> bool:
    """Whether a JSON value has this format."""
    return (
        isinstance(value, dict) and isinstance(value.get("shapes"), list) and "imagePath" in value
    )


def read(source: Path, request: Request) -> Export:
    """Read an export: a file, or all files of this format below a folder.

    Raises:
        InputError: The export is broken.
    """
    pictures: list[Picture] = []
    labels: set[str] = set()
    skipped: Counter[str] = Counter()
    for path in files_of(source, ".json"):
        if not claims(value := load_json(path)):
            skipped["JSON files of another kind"] += 1
            continue
        with told(str(path)):
            labels |= {_label(shape, number) for number, shape in enumerate(value["shapes"], 1)}
            pictures.append(_picture(path, value, source, skipped))
    folders = [source if source.is_dir() else source.parent]
    return Export(TITLE, sorted(labels), pictures, folders, skipped=skipped)


def _picture(path: Path, value: Any, source: Path, skipped: Counter[str]) -> Picture:
    shapes = value["shapes"]
    declared = value.get("imageHeight"), value.get("imageWidth")
    stem = last_stem(value["imagePath"], str(path))

    def draw(known: Size | None) -> Drawing:
        size = settle_size(declared, known, str(path))
        return Drawing(size, _patches(shapes, size, str(path), skipped))

    inner = path.relative_to(source).parent if path != source else Path()
    return Picture((inner / stem).as_posix(), str(path), draw, split_of(path, source))


def _label(shape: Any, number: int) -> str:
    label = shape["label"]
    if not isinstance(label, str | int) or not str(label).strip():
        raise ValueError(f"shape {number} has no label")
    return str(label)


def _patches(
    shapes: Sequence[Any], size: Size, where: str, skipped: Counter[str]
) -> Iterator[Patch]:
    for number, shape in enumerate(shapes, 1):
        kind, label = shape.get("shape_type") or "polygon", str(shape["label"])
        with told(f"{where}, shape {number} ({label})"):
            if kind == "mask":
                yield _mask(shape, label)
            elif kind in AREAS:
                yield polygon(label, _ring(kind, shape["points"]), size)
            else:
                skipped[f"shapes without an area ({kind})"] += 1


def _ring(kind: str, points: Any) -> Any:
    if kind not in ("rectangle", "circle") or (kind == "rectangle" and len(points) == 4):
        return points
    (x0, y0), (x1, y1) = two_points(points)
    if kind == "rectangle":
        return box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
    radius = math.hypot(x1 - x0, y1 - y0)
    return ellipse(x0, y0, radius, radius)


def _mask(shape: Any, label: str) -> Patch:
    left, top, right, bottom = (round(v) for point in shape["points"] for v in point)
    try:
        data = base64.b64decode(shape["mask"], validate=True)
    except binascii.Error:
        raise ValueError("a mask that is no base64") from None
    mask = mask_of_png(data)
    if mask.shape != (bottom - top + 1, right - left + 1):
        raise ValueError("a mask of another size than its corners say")
    return Patch(label, mask, top, left)
