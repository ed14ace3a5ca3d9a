"""Roboflow's semantic segmentation masks: NAME.jpg, NAME_mask.png and _classes.csv in a folder.

_classes.csv has a heading `Pixel Value, Class` and a line for each class; a mask has one channel of
these values. The folders train, valid and test are splits.

https://roboflow.com/formats/semantic-segmentation-masks, export "Semantic Segmentation Masks"
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from samantic.convert.export import Drawing, Export, Picture, told
from samantic.convert.formats.documents import files_of, in_order, split_of
from samantic.convert.formats.id_images import id_patches, ids_of, read_label_image
from samantic.convert.regions import Size
from samantic.convert.request import Request
from samantic.errors import InputError
from samantic.files import read_text

TITLE = "Roboflow semantic masks"
NAME = "_classes.csv"
ENDING = "_mask"


def finds(source: Path) -> bool:
    """Whether a folder, or one below it, has this format."""
    return any("pixel value" in _text(path).lower() for path in _lists(source))


def read(source: Path, request: Request) -> Export:
    """Read all folders of an export.

    Raises:
        InputError: The export is broken.
    """
    names: list[list[str]] = []
    pictures: list[Picture] = []
    for path in _lists(source):
        classes = _classes(path)
        names.append(list(classes.values()))
        masks = sorted(p for p in path.parent.iterdir() if p.stem.endswith(ENDING))
        if not masks:
            raise InputError(f"{path.parent}: no NAME{ENDING}.png in it; unpack the whole export")
        pictures += [_picture(mask, classes, source, split_of(path, source)) for mask in masks]
    return Export(TITLE, in_order(names), pictures, [source], complete=True)


def _lists(source: Path) -> list[Path]:
    return [] if source.is_file() else [p for p in files_of(source, ".csv") if p.name == NAME]


def _text(path: Path) -> str:
    return read_text(path, "list of classes")


def _classes(path: Path) -> dict[int, str]:
    """Class names by value."""
    rows = [row for row in csv.reader(io.StringIO(_text(path))) if any(map(str.strip, row))]
    with told(str(path)):
        return {int(row[0]): row[1].strip() for row in rows[1:]}


def _picture(mask: Path, classes: Mapping[int, str], source: Path, split: str) -> Picture:
    def draw(known: Size | None) -> Drawing:
        ids = ids_of(read_label_image(mask, known))
        return Drawing((ids.shape[0], ids.shape[1]), id_patches(ids, classes, str(mask)))

    name = mask.relative_to(source).with_name(mask.stem.removesuffix(ENDING)).as_posix()
    return Picture(name, str(mask), draw, split, file=mask)
