"""Folders of label images: ids of up to 16 bits, indexed PNG, and colours, PASCAL VOC's among them.

What the pixels stand for is said by --classes (ids 0, 1, 2, ... in this order), by --colors, or by
a map of ids or colours. A folder SegmentationClass is PASCAL VOC's, with 20 classes, background as
0 and 255 (or its colour, 224, 224, 192) around objects, unless something else is said. The index of
an indexed PNG counts, and its transparency does not; in images with colours, transparent pixels
have no object.

http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc, "Segmentation" and its VOClabelcolormap
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from samantic.convert.export import VOID, Drawing, Export, Picture, without_ending
from samantic.convert.formats.colour_images import draw_colours
from samantic.convert.formats.cvat_masks import MASKS, read_splits
from samantic.convert.formats.id_images import id_patches, ids_of, read_label_image
from samantic.convert.regions import Size
from samantic.convert.request import Request
from samantic.data.cards.card import palette
from samantic.data.folders import stems

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


def finds(source: Path) -> bool:
    """Whether a folder is PASCAL VOC's, or one of its label images."""
    return source.is_dir() and (source.name == MASKS or (source / MASKS).is_dir())


def claims_with(source: Path, request: Request) -> bool:
    """Whether a folder holds images, and it is said what their pixels stand for."""
    said = bool(request.classes or request.mapping)
    return said and source.is_dir() and bool(stems(source))


def read(source: Path, request: Request) -> Export:
    """Read a folder of label images.

    Raises:
        InputError: They cannot be read.
    """
    folder = source / MASKS if (source / MASKS).is_dir() else source
    voc = folder.name == MASKS and not (request.classes or request.mapping)
    splits = read_splits(folder.parent) if folder.name == MASKS else {}
    colours = _voc_colours() if voc else request.key_colours()
    names = dict(enumerate(VOC)) if voc else None
    notes: Counter[str] = Counter()

    def draw(path: Path, known: Size | None) -> Drawing:
        return _draw(path, known, colours, names, request.distance, notes)

    pictures = [
        Picture(
            without_ending(path.relative_to(folder).as_posix()),
            str(path),
            partial(draw, path),
            splits.get(name, ""),
            file=path,
        )
        for name, path in stems(folder).items()
    ]
    title = VOC_TITLE if voc else TITLE
    classes = VOC if voc else [*request.classes]
    images = folder.parent / "JPEGImages"
    folders = [images] if folder.name == MASKS and images.is_dir() else []
    numbered = not voc and not colours
    return Export(title, classes, pictures, folders, True, numbered, notes=notes)


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
    """Colours where colours are known and the image has some, ids elsewhere."""
    image = read_label_image(path, known)
    if colours and (image.kind == "colour" or names is None):
        return draw_colours(image, colours, distance, notes)
    ids = ids_of(image)
    return Drawing((ids.shape[0], ids.shape[1]), id_patches(ids, names, str(path)))
