"""CVAT's "Segmentation mask 1.1": SegmentationClass/NAME.png and labelmap.txt.

labelmap.txt has a line `name:red,green,blue:parts:actions` for each class. A mask has these
colours, or one channel with the numbers of these lines. ImageSets/Segmentation/SPLIT.txt lists the
images of a split.

https://docs.cvat.ai/docs/dataset_management/formats/format-smask
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from samantic.convert.export import Drawing, Export, Picture, told
from samantic.convert.formats.colour_images import draw_colours
from samantic.convert.formats.documents import images_below
from samantic.convert.formats.id_images import id_patches, ids_of, read_label_image
from samantic.convert.regions import Size
from samantic.convert.request import Request
from samantic.errors import InputError
from samantic.files import read_text

TITLE = "CVAT segmentation masks 1.1"
LABELS = "labelmap.txt"
MASKS = "SegmentationClass"


def finds(source: Path) -> bool:
    """Whether a folder has this format."""
    return (masks_root(source) / LABELS).is_file() and (masks_root(source) / MASKS).is_dir()


def masks_root(source: Path) -> Path:
    """The folder that holds `SegmentationClass`: the source, its parent or its only subfolder."""
    if source.name == MASKS:
        return source.parent
    inside = [path.parent for path in source.glob(f"*/{MASKS}") if path.is_dir()]
    return source if (source / MASKS).is_dir() or len(inside) != 1 else inside[0]


def read(source: Path, request: Request) -> Export:
    """Read an export.

    Raises:
        InputError: The export is broken.
    """
    root = masks_root(source)
    colours = read_labelmap(root / LABELS)
    splits = read_splits(root)
    notes: Counter[str] = Counter()

    def draw(path: Path, known: Size | None) -> Drawing:
        image = read_label_image(path, known)
        if image.kind != "gray":
            return draw_colours(image, colours, request.distance, notes)
        ids = ids_of(image)
        size = (ids.shape[0], ids.shape[1])
        return Drawing(size, id_patches(ids, dict(enumerate(colours)), str(path)))

    pictures = [
        Picture(name, str(path), partial(draw, path), splits.get(name, ""), file=path)
        for name, path in images_below(root / MASKS).items()
    ]
    folders = [folder for folder in (root / "JPEGImages", root / "images") if folder.is_dir()]
    return Export(TITLE, list(colours), pictures, folders, complete=True, notes=notes)


def read_labelmap(path: Path) -> dict[str, tuple[int, int, int]]:
    """The colour of each class.

    Raises:
        InputError: A line does not define a class.
    """
    found: dict[str, tuple[int, int, int]] = {}
    for number, line in enumerate(read_text(path, "label map").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        with told(f"{path}, line {number}"):
            name, colour, *_ = line.strip().rsplit(":", 3)
            red, green, blue = (int(part) for part in colour.split(","))
            if not 0 <= min(red, green, blue) <= max(red, green, blue) <= 255:
                raise ValueError(f"{colour} is not a colour")
        if (red, green, blue) in found.values():
            raise InputError(f"{path}, line {number}: a colour of two classes; give each its own")
        found[name] = (red, green, blue)
    if not found:
        raise InputError(f"{path}: names no class; export it anew")
    return found


def read_splits(root: Path) -> Mapping[str, str]:
    """The split of each image that a list of train, val or test names."""
    found: dict[str, str] = {}
    for split in ("train", "val", "test"):
        listing = root / "ImageSets" / "Segmentation" / f"{split}.txt"
        if listing.is_file():
            names = read_text(listing, "list of images").split("\n")
            found |= {name.strip(): split for name in names if name.strip()}
    return found
