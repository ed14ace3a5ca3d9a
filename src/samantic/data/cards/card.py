"""Data cards: what a data set, or a way of laying out files, is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from samantic.config.classes import MOST_CLASSES, check_names
from samantic.errors import InputError
from samantic.metrics.protocols import ALL_CLASSES, PRESENT_CLASSES, Protocol
from samantic.strings import substitute

Projection = Literal["perspective", "equirectangular"]
"""How a camera maps directions to pixels. An equirectangular image goes all around: its left and
right edge meet."""


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
        unpaired: Whether names without a file of every kind are left out, and not refused.
        unpaired_option: What the user calls that, for errors.
        projection: Of its images; None where the user brings them, so that nobody knows.
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
    projection: Projection | None = "perspective"
    unpaired: bool = False
    unpaired_option: str = "data.allow_unpaired: true"

    @property
    def modalities(self) -> tuple[str, ...]:
        """What its images show: rgb, thermal or both."""
        places = {"rgb": self.images or self.rgb, "thermal": self.images or self.thermal}
        return tuple(modality for modality, place in places.items() if place)

    def of_split(self, pattern: str, split: str) -> list[str]:
        """A folder or pattern for each folder that a split is made of."""
        return [substitute(pattern, split=part) for part in self.parts.get(split, (split,))]


def named(
    spec: DatasetSpec, classes: Sequence[str] | None, key: str = "data.classes"
) -> DatasetSpec:
    """A data card with class names and a palette: its own, or the given names.

    Args:
        spec: The data card.
        classes: The given names.
        key: Where they were given, for the error.

    Raises:
        InputError: It has none and none, or too many, are given, or one cannot be a name.
    """
    names = spec.classes or tuple(classes or ())
    if not 2 <= len(names) <= MOST_CLASSES:
        example = "[background, person, car]" if key == "data.classes" else "background,person,car"
        option = key if key.startswith("--") else f"--{key}"
        raise InputError(
            f"layout pairs: name 2 to {MOST_CLASSES} classes in the order of their label ids, e.g. "
            f'{option} "{example}"'
        )
    check_names(names, key)
    return replace(spec, classes=names, palette=spec.palette or palette(len(names)))


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
