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
"""How a camera maps directions to pixels. An equirectangular image covers 360 degrees: its left and
right edges meet."""


@dataclass(frozen=True)
class DatasetSpec:
    """A data set, or a folder layout for the user's own files.

    Attributes:
        title: Its name in prose.
        classes: Class names by label id; empty where the user gives them.
        palette: RGB colour of each class, 0..255.
        images: Folder or pattern (see `folders.find_images`) of 4-channel images (RGB + thermal),
            or "" where RGB and thermal are separate files. "{split}" is replaced by the name of the
            split.
        rgb: Folder or pattern of RGB images, or "".
        thermal: Folder or pattern of thermal images, or "". If `images` is "" too, the data set has
            no thermal images.
        labels: Folder or pattern of label images.
        subsets: File-name endings that name a subset, e.g. {"D": "day"}.
        paper: Reference.
        source: Web address where its owners publish it.
        terms: Licence or terms of use.
        listing: File that lists the names of a split.
        bits: Bits of a thermal value.
        ids: Label id of each class in the files; empty for 0, 1, 2, ...
        ignored: Label ids that are ignored.
        colours: Whether label images may hold the palette's colours in place of ids.
        objects: JSON list of objects named CLASS_...; label images hold an object's index in this
            list as a 24-bit colour in place of ids.
        parts: Folders that make up a split. Each replaces "{split}" in turn; folders that are
            missing are skipped. A split without an entry is one folder of its own name.
        protocols: The ways in which its mIoU is reported.
        unpaired: Whether names that lack a file of some kind are skipped; otherwise they are
            refused.
        unpaired_option: The user's name of that option, for errors.
        projection: Projection of its images; None for the user's own images, where it is unknown.
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
        """The folder or pattern for each folder that makes up a split."""
        return [substitute(pattern, split=part) for part in self.parts.get(split, (split,))]


def named(
    spec: DatasetSpec, classes: Sequence[str] | None, key: str = "data.classes"
) -> DatasetSpec:
    """A data card with class names and a palette: the card's own names, or the given ones.

    Args:
        spec: The data card.
        classes: The given names.
        key: The option that gave them, for the error.

    Raises:
        InputError: The card has no names and none, or too many, are given, or a name is not
            allowed.
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
    """Distinct colours for classes without a palette: black for class 0, then PASCAL VOC's colours.

    The bits of the class id go in turn to the high bits of red, green and blue.
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
