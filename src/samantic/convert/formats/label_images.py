"""Folders of label images: ids of up to 16 bits, indexed PNG, and colours, with PASCAL VOC's.

The user defines the pixels by --classes (ids 0, 1, 2, ... in this order), by --colors, or by a map
of ids or colours. A folder SegmentationClass is PASCAL VOC's by default: 20 classes, background 0,
and 255 (or its colour, 224, 224, 192) around objects. In an indexed PNG the index counts, not its
transparency. In images with colours, transparent pixels have no object.

http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc, "Segmentation" and its VOClabelcolormap
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path, PurePosixPath

from samantic.convert.export import VOID, Drawing, Export, Picture
from samantic.convert.formats.colour_images import draw_colours
from samantic.convert.formats.cvat_masks import MASKS, masks_root, read_splits
from samantic.convert.formats.documents import images_below, split_of
from samantic.convert.formats.id_images import id_patches, ids_of, read_label_image
from samantic.convert.regions import Size
from samantic.convert.request import Request
from samantic.data.cards.card import palette
from samantic.data.pairing import WORDS

TITLE = "label images"
VOC_TITLE = "PASCAL VOC label images"
VOC = [
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
]
BORDER = (224, 224, 192)

_WORDS = {*WORDS["labels"].split(), "annotations", "groundtruth", "ground_truth"}
"""Names of folders of label images."""

_ENDING = re.compile(rf"[ _.-]+(?:{WORDS['labels'].replace(' ', '|')})$", re.IGNORECASE)


def finds(source: Path) -> bool:
    """Whether a folder is PASCAL VOC's, or one of VOC's label images."""
    return source.is_dir() and (masks_root(source) / MASKS).is_dir()


def claims_with(source: Path, request: Request) -> bool:
    """Whether a folder holds images, and the user has defined their pixels."""
    said = bool(request.classes or request.mapping)
    return said and source.is_dir() and bool(images_below(source))


def read(source: Path, request: Request) -> Export:
    """Read a folder of label images.

    Raises:
        InputError: The images cannot be read.
    """
    root = masks_root(source)
    marked = (root / MASKS).is_dir()
    voc = marked and not (request.classes or request.mapping)
    files = images_below(root / MASKS) if marked else marked_files(source) or images_below(source)
    splits = read_splits(root) if marked else {}
    colours = _voc_colours() if voc else request.key_colours()
    names = dict(enumerate(VOC)) if voc else None
    notes: Counter[str] = Counter()

    def draw(path: Path, known: Size | None) -> Drawing:
        return _draw(path, known, colours, names, request.distance, notes)

    pictures = [
        Picture(
            name,
            str(path),
            partial(draw, path),
            splits.get(name) or _split(path, source),
            () if path.stem == PurePosixPath(name).name else (path.stem,),
            file=path,
        )
        for name, path in files.items()
    ]
    title = VOC_TITLE if voc else TITLE
    classes = VOC if voc else [*request.classes]
    folders = [root / "JPEGImages"] if marked else [source]
    return Export(
        title,
        classes,
        pictures,
        [folder for folder in folders if folder.is_dir()],
        complete=True,
        numbered=not voc and not colours,
        notes=notes,
    )


def marked_files(source: Path) -> dict[str, Path]:
    """The label images below a folder, by the names of their images; the images may lie there too.

    Label images are those in folders called labels, masks or the like. If there are no such
    folders, they are the images whose names end with such a word. Otherwise the result is empty.
    """
    found = images_below(source)
    inside = {_unmarked(name): path for name, path in found.items() if _unmarked(name) != name}
    return inside or {
        _ENDING.sub("", name): path for name, path in found.items() if _ENDING.search(name)
    }


def _unmarked(name: str) -> str:
    """A path without its folders that are called labels, masks or the like."""
    *folders, last = name.split("/")
    return "/".join([*(part for part in folders if part.lower() not in _WORDS), last])


def _split(path: Path, source: Path) -> str:
    return "" if path.parent == source else split_of(path.parent, source)


def _voc_colours() -> dict[str, tuple[int, int, int]]:
    return dict(zip(VOC, palette(len(VOC)), strict=True)) | {VOID: BORDER}


def _draw(
    path: Path,
    known: Size | None,
    colours: Mapping[str, tuple[int, int, int]],
    names: Mapping[int, str] | None,
    distance: float,
    notes: Counter[str],
) -> Drawing:
    """Draw colours if colours are known and the image has some; otherwise draw ids."""
    image = read_label_image(path, known)
    if colours and (image.kind == "colour" or names is None):
        return draw_colours(image, colours, distance, notes)
    ids = ids_of(image)
    return Drawing((ids.shape[0], ids.shape[1]), id_patches(ids, names, str(path)))
