"""Labels of other tools, written in the layout `pairs`."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image

from samantic.config.classes import IGNORE
from samantic.convert.classes import ClassTable, settle_classes
from samantic.convert.export import Export, Picture
from samantic.convert.formats import label_images, recognise
from samantic.convert.partners import ImageIndex, find_images, find_in_time, output_names
from samantic.convert.request import Request
from samantic.convert.sequences import is_archive
from samantic.data.cards.card import palette
from samantic.data.image_files import decode
from samantic.errors import InputError
from samantic.files import replacing, write_text
from samantic.progress import progress
from samantic.provenance import check_folder, write_inputs


@dataclass
class Converted:
    """The result of a conversion.

    Attributes:
        title: Format of the export.
        out: Folder of the data set.
        classes: Class names by label id.
        rest: Label id of pixels without an object.
        pictures: Number of labelled pictures.
        images: Number of pictures whose image was found.
        thermal: Number of pictures whose thermal image was found.
        objects: Number of objects (or of pictures with pixels of a class), by label id and name in
            the export.
        pixels: (256,) number of pixels by label id.
        empty: Number of objects without a pixel in their picture.
        lines: Notes for the user.
    """

    title: str
    out: Path
    classes: tuple[str, ...]
    rest: int
    pictures: int = 0
    images: int = 0
    thermal: int = 0
    objects: dict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    pixels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))
    empty: int = 0
    lines: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Places:
    """The paths of a conversion.

    Attributes:
        source: The export.
        out: Folder of the new data set.
        images: Folder of the labelled images; None to look in the export's usual places.
        thermal: Folder of the thermal images; None for none.
        unpaired: Whether pictures without a partner are skipped; otherwise they are refused.
        tolerance: Largest difference in seconds between a picture and its thermal image, whose
            names hold times; None if both have the same name.
    """

    source: Path
    out: Path
    images: Path | None = None
    thermal: Path | None = None
    unpaired: bool = False
    tolerance: float | None = None


def find_format(source: Path, request: Request) -> ModuleType | None:
    """The format of a source's labels; None if it has none.

    Raises:
        InputError: There is no such file, or the file that identifies the format is broken.
    """
    if is_archive(source):
        raise InputError(f"{source}: an archive; unpack it, and give the folder")
    if not source.exists():
        raise InputError(f"{source}: no such file or folder; correct the path")
    form = recognise(source)
    return label_images if form is None and label_images.claims_with(source, request) else form


def convert_labels(form: ModuleType, places: Places, request: Request) -> Converted:
    """Write labels/NAME.png as ids, and rgb/ and thermal/ if there are images.

    Args:
        form: The format of the labels.
        places: The paths.
        request: The user's choices on classes.

    Raises:
        InputError: The export is broken, has unknown classes, or images are missing.
    """
    export: Export = form.read(places.source, request)
    if not export.pictures:
        told = "; ".join(f"{count} {what}" for what, count in export.skipped.items())
        raise InputError(
            f"{places.source}: {export.title} without a labelled picture"
            + f" ({told})" * bool(told)
        )
    classes = settle_classes(export, request)
    names = output_names(export.pictures)
    found = {"rgb": _images(export, places), "thermal": _thermal(export.pictures, places)}
    kept = _kept(found, places)
    made = {"source": str(places.source.resolve()), "classes": list(classes.names)}
    check_folder(places.out, made, "labels", ("labels", "data.yaml"))
    write_inputs(places.out, made)
    done = Converted(export.title, places.out, classes.names, classes.rest)
    colours = _colours(request, len(classes.names))
    for place in progress(kept, "convert", "image"):
        picture, name = export.pictures[place], names[place]
        images = {kind: paths[place] for kind, paths in found.items()}
        labels = _draw(picture, images["rgb"], classes, done)
        _save(labels, places.out / "labels" / f"{name}.png", colours)
        for kind, path in images.items():
            if path is not None:
                _copy(path, places.out / kind / f"{name}{path.suffix}")
        done.pictures += 1
        done.images += images["rgb"] is not None
        done.thermal += images["thermal"] is not None
    done.lines += [f"{count} {what}" for what, count in (export.skipped + export.notes).items()]
    if done.empty:
        done.lines.append(
            f"objects without a pixel (a line, or outside of the picture): {done.empty}"
        )
    done.lines += _left_out(export.pictures, kept)
    splits = _write_lists([(names[i], export.pictures[i].split) for i in kept], places.out)
    _write_card(done, splits)
    return done


def _images(export: Export, places: Places) -> list[Path | None]:
    labels = [picture.file for picture in export.pictures if picture.file is not None]
    folders = [_folder(places.images)] if places.images else export.folders
    index = ImageIndex(folders, labels, None if places.images else places.out)
    given = places.images is not None
    return find_images(export.pictures, index, "--images", given, places.unpaired)


def _thermal(pictures: Sequence[Picture], places: Places) -> list[Path | None]:
    if places.thermal is None:
        return [None] * len(pictures)
    index = ImageIndex([_folder(places.thermal)])
    if places.tolerance is not None:
        return find_in_time(pictures, index, places.tolerance, places.unpaired)
    return find_images(pictures, index, "--thermal", True, places.unpaired)


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise InputError(f"{path}: no such folder of images")
    return path


def _kept(found: dict[str, list[Path | None]], places: Places) -> list[int]:
    """Indices of the pictures that have an image of each kind that any picture has."""
    kinds = [paths for paths in found.values() if any(paths)]
    kept = [i for i in range(len(found["rgb"])) if all(paths[i] for paths in kinds)]
    if not kept:
        raise InputError(f"{places.images}: no labelled picture has all its images; correct it")
    return kept


def _left_out(pictures: Sequence[Picture], kept: Sequence[int]) -> list[str]:
    gone = [p.name for i, p in enumerate(pictures) if i not in set(kept)]
    more = f" and {len(gone) - 10} more" if len(gone) > 10 else ""
    return [f"{len(gone)} left out, without an image: {', '.join(gone[:10])}{more}"] * bool(gone)


def _draw(
    picture: Picture, image: Path | None, classes: ClassTable, done: Converted
) -> NDArray[np.uint8]:
    """Draw the label ids (H, W) of a picture."""
    known = None if image is None else decode(image).samples.shape
    size, patches = picture.draw(known and (known[0], known[1]))
    labels = np.full(size, classes.rest, np.uint8)
    for patch in patches:
        label = classes.of(patch.label, picture.where)
        done.empty += not patch.paint(labels, label)
        done.objects[label][patch.label] += 1
    done.pixels += np.bincount(labels.ravel(), minlength=256)
    return labels


def _colours(request: Request, count: int) -> list[int]:
    """A palette of 256 colours for label images; ignored pixels are light."""
    own = request.colours or palette(count)
    table = np.zeros((256, 3), np.uint8)
    table[: len(own)] = own
    table[IGNORE] = (224, 224, 192)
    values: list[int] = table.ravel().tolist()
    return values


def _save(labels: NDArray[np.uint8], path: Path, colours: list[int]) -> None:
    image = Image.fromarray(labels)
    image.putpalette(colours)
    with replacing(path) as temporary:
        image.save(temporary)


def _copy(source: Path, target: Path) -> None:
    if not (target.exists() and target.samefile(source)):
        with replacing(target) as temporary:
            shutil.copyfile(source, temporary)


def _write_lists(pairs: Sequence[tuple[str, str]], out: Path) -> list[str]:
    """Write a list for each split, if the export assigns every picture to one."""
    if not all(split for _, split in pairs):
        return []
    splits = [name for name in ("train", "val", "test") if any(s == name for _, s in pairs)]
    for split in splits:
        names = [name for name, own in pairs if own == split]
        write_text(out / f"{split}.txt", "".join(f"{name}\n" for name in names))
    return splits


def _write_card(done: Converted, splits: Sequence[str]) -> None:
    """Write data.yaml, the section `data` of a configuration."""
    if splits:
        parts = {name: name if name in splits else None for name in ("train", "val", "test")}
    elif done.pictures >= 10:  # a tenth of a few frames is one, which measures nothing
        first, second = (80, 90) if done.pictures >= 50 else (60, 80)
        parts = {
            "train": f"all[:{first}%]",
            "val": f"all[{first}%:{second}%]",
            "test": f"all[{second}%:]",
        }
    else:
        parts = {"train": "all", "val": None, "test": None}
    data: dict[str, object] = {"root": str(done.out.resolve()), "layout": "pairs"}
    if not done.thermal:
        data["rgb"] = "rgb"
    data |= {"classes": list(done.classes), **parts}
    text = yaml.safe_dump({"data": data}, sort_keys=False, allow_unicode=True)
    write_text(done.out / "data.yaml", text)
