"""COCO JSON: polygons, and masks as run lengths, compressed or not.

The file has `images`, `categories` and `annotations` with `segmentation`. A segmentation is a list
of polygons [[x, y, x, y, ...], ...], the parts of one object. Or it is {"size": [height, width],
"counts": ...}, run lengths down the columns, as a list or as COCO's packed text. Polygons are drawn
by COCO's own rule (pycocotools), along pixel edges as in `regions`. Annotations are drawn in the
order of the file, so the later of two covers the earlier. `coco_panoptic` reads the panoptic kind.

https://cocodataset.org/#format-data, and common/maskApi.c of github.com/cocodataset/cocoapi for the
packed run lengths.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from samantic.convert.export import Drawing, Export, Picture, settle_size, stem_of, told
from samantic.convert.formats.coco_panoptic import is_panoptic, panoptic_picture
from samantic.convert.formats.documents import files_of, in_order, load_json, split_of
from samantic.convert.regions import Mask, Patch, Size, runs
from samantic.convert.request import Request
from samantic.errors import InputError

TITLE = "COCO JSON"

MOST_STEPS = 20_000_000
"""Largest number of pixels along the outline of a polygon; more is an error."""


class _File(NamedTuple):
    """A file's content: class names, pictures, whether every pixel has a label, and its kind."""

    names: list[str]
    pictures: list[Picture]
    complete: bool
    keypoints: bool


def claims(value: Any) -> bool:
    """Whether a JSON value has this format."""
    return isinstance(value, dict) and all(
        isinstance(value.get(key), list) for key in ("images", "annotations", "categories")
    )


def read(source: Path, request: Request) -> Export:
    """Read an export: a file, or all files of this format below a folder.

    Raises:
        InputError: The export is broken.
    """
    found: list[_File] = []
    skipped: Counter[str] = Counter()
    for path in files_of(source, ".json"):
        if claims(value := load_json(path)):
            with told(str(path)):
                categories = _categories(value)
                split = split_of(path, source)
                pictures = list(_pictures(path, value, categories, split, skipped))
                names = list(categories.values())
                found.append(_File(names, pictures, is_panoptic(value), _is_keypoints(value)))
    kept = [one for one in found if not one.keypoints] or found
    if len(kept) < len(found):
        skipped["files of keypoints, beside those of masks"] = len(found) - len(kept)
    names = in_order([one.names for one in kept])
    pictures = [picture for one in kept for picture in one.pictures]
    complete = all(one.complete for one in kept)
    folders = [source if source.is_dir() else source.parent]
    return Export(TITLE, names, pictures, folders, complete, skipped=skipped)


def _is_keypoints(value: Mapping[str, Any]) -> bool:
    """Whether a file holds COCO's keypoints; other files may annotate the same images."""
    return any(isinstance(one, dict) and one.get("keypoints") for one in value["categories"])


def _categories(value: Mapping[str, Any]) -> dict[int, str]:
    """Class names by category id, in the order of the ids."""
    found = {int(entry["id"]): str(entry["name"]) for entry in value["categories"]}
    return dict(sorted(found.items()))


def _pictures(
    path: Path,
    value: Mapping[str, Any],
    categories: Mapping[int, str],
    split: str,
    skipped: Counter[str],
) -> Iterator[Picture]:
    objects: defaultdict[Any, list[Any]] = defaultdict(list)
    known = {entry["id"] for entry in value["images"]}
    for annotation in value["annotations"]:
        if annotation["image_id"] not in known:
            raise InputError(
                f"{path}: an annotation of image {annotation['image_id']!r}, which is not in its "
                "list of images; export it anew"
            )
        objects[annotation["image_id"]].append(annotation)
    for image in value["images"]:
        where = f"{path}, image {image['file_name']}"
        name, own = stem_of(image["file_name"], where), objects[image["id"]]
        if is_panoptic(value):
            if own:
                yield panoptic_picture(path, image, own[0], categories, split)
            else:
                skipped["images without a panoptic PNG"] += 1
            continue

        def draw(
            known: Size | None, image: Any = image, own: list[Any] = own, where: str = where
        ) -> Drawing:
            declared = image.get("height"), image.get("width")
            size = settle_size(declared, known, where)
            return Drawing(size, _patches(own, size, categories, where, skipped))

        yield Picture(name, where, draw, split)


def _patches(
    annotations: Sequence[Any],
    size: Size,
    categories: Mapping[int, str],
    where: str,
    skipped: Counter[str],
) -> Iterator[Patch]:
    for annotation in annotations:
        with told(f"{where}, annotation {annotation.get('id', '?')}"):
            number = annotation["category_id"]
            if number not in categories:
                raise ValueError(f"category {number!r} is not in the file's list")
            if segmentation := annotation.get("segmentation"):
                yield _patch(categories[number], segmentation, size)
            else:
                skipped["boxes without a mask"] += 1


def _patch(label: str, segmentation: Any, size: Size) -> Patch:
    if isinstance(segmentation, dict):
        own, counts = segmentation["size"], segmentation["counts"]
        if [*own] != [*size]:
            raise ValueError(
                f"a mask of {own[1]}x{own[0]} pixels, the image has {size[1]}x{size[0]}"
            )
        if isinstance(counts, str):
            counts = unpack_counts(counts)
        return Patch(label, runs(counts, size, columns_first=True))
    return _polygons(label, segmentation, size)


def _polygons(label: str, parts: Any, size: Size) -> Patch:
    from pycocotools import mask as coco

    try:
        flat = [np.array(part, np.float64) for part in parts]
    except (TypeError, ValueError):
        raise ValueError("a polygon that is no list of numbers") from None
    steps = 0.0
    for part in flat:
        if part.ndim != 1 or not part.size or part.size % 2 or not np.isfinite(part).all():
            raise ValueError("a polygon that is no list of x, y")
        ring = part.reshape(-1, 2)
        steps += np.abs(ring - np.roll(ring, 1, axis=0)).max(axis=1).sum() + np.abs(ring).max() / 99
    if steps > MOST_STEPS:
        raise ValueError("a polygon that reaches far beyond the image")
    areas = [part.tolist() for part in flat if part.size > 4]  # a point or a line has none
    if not areas:
        return Patch(label, np.zeros((0, 0), bool))
    packed = coco.merge(coco.frPyObjects(areas, *size))
    left, top, width, height = coco.toBbox(packed).astype(int).tolist()
    mask: Mask = coco.decode(packed)[top : top + height, left : left + width] > 0
    return Patch(label, mask, top, left)


def unpack_counts(text: str) -> list[int]:
    """Unpack COCO's text of run lengths.

    Each number is stored in characters of 5 bits, lowest bits first, offset by 48; a sixth bit
    marks that more characters follow. From the fourth number on, the difference to the number two
    before is stored.

    Raises:
        ValueError: The text has another form.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 60:
            raise ValueError("run lengths that are not COCO's text")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("run lengths that are cut off")
    return counts
