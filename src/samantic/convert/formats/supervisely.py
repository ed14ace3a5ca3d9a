"""Supervisely: meta.json, and DATASET/img/NAME.jpg with DATASET/ann/NAME.jpg.json.

An object is a polygon (`points.exterior`, and holes as `points.interior`), a rectangle (two
corners; both are pixels of it) or a bitmap. A bitmap has `bitmap.data`, a PNG compressed by zlib
and encoded in base64, and `origin`, the x and y of its upper left pixel. Lines, points and
skeletons have no area. Objects are drawn in the order of the file, so the later of two covers the
earlier.

https://docs.supervisely.com/customization-and-integration/00_ann_format_navi, and "Coordinate
System" at https://developer.supervisely.com/app-development/advanced/coordinate-system
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samantic.convert.export import Drawing, Export, Picture, last_stem, settle_size, told
from samantic.convert.formats.documents import files_of, load_json, split_of
from samantic.convert.formats.pictures import mask_of_png
from samantic.convert.regions import Patch, Size, box, polygon, two_points
from samantic.convert.request import Request
from samantic.files import MIB

TITLE = "Supervisely"


def claims(value: Any) -> bool:
    """Whether a JSON value is an annotation in this format."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("objects"), list)
        and isinstance(value.get("size"), dict)
    )


def read(source: Path, request: Request) -> Export:
    """Read a project, or one of its data sets.

    Raises:
        InputError: The export is broken.
    """
    pictures: list[Picture] = []
    classes: dict[str, None] = {}
    labels: dict[str, None] = {}
    skipped: Counter[str] = Counter()
    for path in files_of(source, ".json"):
        value = load_json(path)
        with told(str(path)):
            if path.name == "meta.json" and isinstance(value, dict):
                classes |= dict.fromkeys(str(entry["title"]) for entry in value["classes"])
            elif claims(value):
                labels |= dict.fromkeys(str(one["classTitle"]) for one in value["objects"])
                pictures.append(_picture(path, value, source, skipped))
    folders = [source if source.is_dir() else source.parent]
    return Export(TITLE, list(classes | labels), pictures, folders, skipped=skipped)


def _picture(path: Path, value: Any, source: Path, skipped: Counter[str]) -> Picture:
    objects, size = value["objects"], value["size"]
    declared = size.get("height"), size.get("width")

    def draw(known: Size | None) -> Drawing:
        size = settle_size(declared, known, str(path))
        return Drawing(size, _patches(objects, size, str(path), skipped))

    inner = path.relative_to(source).parent if path != source else Path()
    folder = inner.parent if inner.name == "ann" else inner
    stem = last_stem(path.name.removesuffix(".json"), str(path))
    return Picture((folder / stem).as_posix(), str(path), draw, split_of(path, source))


def _patches(
    objects: Sequence[Any], size: Size, where: str, skipped: Counter[str]
) -> Iterator[Patch]:
    for number, one in enumerate(objects, 1):
        label, kind = str(one["classTitle"]), str(one.get("geometryType"))
        with told(f"{where}, object {number} ({label})"):
            if kind == "bitmap":
                yield _bitmap(one["bitmap"], label)
            elif kind == "polygon":
                points = one["points"]
                yield polygon(label, points["exterior"], size, points.get("interior") or ())
            elif kind == "rectangle":
                (x0, y0), (x1, y1) = sorted_corners(one["points"]["exterior"])
                yield polygon(label, box(x0, y0, x1 + 1, y1 + 1), size)
            else:
                skipped[f"objects without an area ({kind})"] += 1


def sorted_corners(points: Any) -> NDArray[np.float64]:
    """The smaller and the larger x and y of two points, as whole pixels, (2, 2)."""
    return np.sort(two_points(points), axis=0).round()


def _bitmap(value: Mapping[str, Any], label: str) -> Patch:
    left, top = (int(v) for v in value["origin"])
    try:
        packed = base64.b64decode(value["data"], validate=True)
        data = zlib.decompressobj().decompress(packed, 64 * MIB)
    except (binascii.Error, zlib.error):
        raise ValueError("a bitmap that is not zlib data in base64") from None
    return Patch(label, mask_of_png(data), top, left)
