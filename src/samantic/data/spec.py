"""Data cards: what a data set, or a way of laying out files, is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from samantic.errors import InputError
from samantic.metrics.protocols import ALL_CLASSES, PRESENT_CLASSES, Protocol

MOST_CLASSES = 254


@dataclass(frozen=True)
class DatasetSpec:
    """A data set, or a way of laying out files.

    Attributes:
        title: Its name in prose.
        classes: Class names by label id; empty where the user gives them.
        palette: RGB colour of each class, 0..255.
        images: Folder or pattern (see `folders.find_images`) of 4-channel images (RGB + thermal),
            or "" where the modalities are apart. "{split}" stands for the name of the split.
        rgb: Folder or pattern of RGB images, or "".
        thermal: Folder or pattern of thermal images, or ""; with `images` "" too, there are none.
        labels: Folder or pattern of label images.
        subsets: File-name endings that name a subset, e.g. {"D": "day"}.
        paper: Reference.
        source: Where its owners publish it.
        terms: Licence or terms of use.
        listing: File that lists the names of a split.
        bits: Bits of a thermal value.
        ids: Label id in the files of each class; empty for 0, 1, 2, ...
        ignored: Label ids that do not count.
        colours: Whether label images may hold the palette's colours in place of ids.
        objects: JSON list of objects named CLASS_..., whose places label images hold as 24-bit
            colours in place of ids.
        parts: The folders that a split is made of, as far as they are there, which stand for
            "{split}" one after the other; a split that is not named is its own.
        protocols: The ways in which its mIoU is reported.
    """

    title: str
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    images: str
    rgb: str
    thermal: str
    labels: str
    subsets: dict[str, str]
    paper: str
    source: str
    terms: str
    listing: str = "{split}.txt"
    bits: int = 8
    ids: tuple[int, ...] = ()
    ignored: tuple[int, ...] = ()
    colours: bool = False
    objects: str = ""
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    protocols: tuple[Protocol, ...] = (ALL_CLASSES, PRESENT_CLASSES)

    @property
    def modalities(self) -> tuple[str, ...]:
        """What its images show: rgb, thermal or both."""
        places = {"rgb": self.images or self.rgb, "thermal": self.images or self.thermal}
        return tuple(modality for modality, place in places.items() if place)

    def of_split(self, pattern: str, split: str) -> list[str]:
        """A folder or pattern for each folder that a split is made of."""
        return [pattern.format(split=part) for part in self.parts.get(split, (split,))]


def named(spec: DatasetSpec, classes: Sequence[str] | None) -> DatasetSpec:
    """A data card with class names and a palette: its own, or the given names.

    Raises:
        InputError: It has none and none, or too many, are given.
    """
    names = spec.classes or tuple(classes or ())
    if not 2 <= len(names) <= MOST_CLASSES:
        raise InputError(
            f"layout pairs: name 2 to {MOST_CLASSES} classes in the order of their label ids, e.g. "
            '--data.classes "[background, person, car]"'
        )
    return replace(spec, classes=names, palette=spec.palette or palette(len(names)))


def colour(text: str, key: str = "data.colors") -> tuple[int, int, int]:
    """Red, green and blue of #rrggbb; `key` is what the user calls it, for errors.

    Raises:
        InputError: It is no colour.
    """
    try:
        red, green, blue = bytes.fromhex(text.removeprefix("#"))
    except ValueError:
        raise InputError(
            f"{key}: {text!r} is no colour; write red, green and blue as #rrggbb"
        ) from None
    return red, green, blue


def palette(num_classes: int) -> tuple[tuple[int, int, int], ...]:
    """Distinct colours for classes that come without any: class 0 black, then PASCAL VOC's.

    The bits of the class id are dealt to the high bits of red, green and blue in turn.
    """
    colours = []
    for label in range(num_classes):
        red = green = blue = 0
        for place in range(8):
            red |= (label >> (3 * place) & 1) << (7 - place)
            green |= (label >> (3 * place + 1) & 1) << (7 - place)
            blue |= (label >> (3 * place + 2) & 1) << (7 - place)
        colours.append((red, green, blue))
    return tuple(colours)
