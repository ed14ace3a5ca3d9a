"""Label images: one channel of ids, or colours that stand for classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samantic.config import IGNORE
from samantic.data.images import decode_image
from samantic.errors import InputError
from samantic.files import read_json

Colour = tuple[int, int, int]
"""Red, green and blue, 0..255."""

_UNKNOWN = 254


@dataclass(frozen=True)
class LabelCode:
    """What the values of a label image mean.

    Attributes:
        num_classes: Classes K, at most 254.
        ids: The id in the files of each class; empty for 0..K-1.
        ignored: Ids that count neither in training nor in evaluation, besides 255.
        colours: The colour of each class in label images of three channels; empty where such are
            refused.
        objects: The class of each object of a data set that numbers objects, `IGNORE` for none;
            its label images hold the number as a 24-bit colour. Empty elsewhere.
    """

    num_classes: int
    ids: tuple[int, ...] = ()
    ignored: tuple[int, ...] = ()
    colours: tuple[Colour, ...] = ()
    objects: tuple[int, ...] = ()

    def read(self, path: Path) -> NDArray[np.uint8]:
        """Read a label image as (H, W) uint8 of class ids 0..K-1 and 255 (ignored).

        Raises:
            InputError: It has several channels without known colours, or a value that stands for
                no class.
        """
        image = decode_image(path)
        if image.mode in ("RGB", "RGBA") and self.colours:
            return self._from_colours(np.asarray(image.convert("RGB")), path)
        if image.mode in ("RGB", "RGBA") and self.objects:
            return self._from_objects(np.asarray(image.convert("RGB")))
        if image.mode not in ("L", "P"):
            raise InputError(
                f"{path}: labels must be one 8-bit channel of class ids, this is {image.mode}; "
                "save the ids, or give the classes' colours (data.colors, layout pairs)"
            )
        found = np.asarray(image)
        labels: NDArray[np.uint8] = self._lookup()[found]
        if (labels == _UNKNOWN).any():
            wrong = found[labels == _UNKNOWN].min()
            raise InputError(
                f"{path}: label id {wrong}, but there are {self.num_classes} classes "
                f"({self._known()}, {IGNORE} is ignored); correct the file or the class list"
            )
        return labels

    def _known(self) -> str:
        if not self.ids:
            return f"0..{self.num_classes - 1}"
        return ", ".join(map(str, self.ids))

    def _lookup(self) -> NDArray[np.uint8]:
        """(256,) class id of every value."""
        table = np.full(256, _UNKNOWN, np.uint8)
        table[list(self.ids or range(self.num_classes))] = np.arange(self.num_classes)
        table[[*self.ignored, IGNORE]] = IGNORE
        return table

    def _from_colours(self, pixels: NDArray[np.uint8], path: Path) -> NDArray[np.uint8]:
        labels = np.full(pixels.shape[:2], _UNKNOWN, np.uint8)
        for label, colour in enumerate(self.colours):
            labels[(pixels == np.array(colour, np.uint8)).all(axis=-1)] = label
        if (labels == _UNKNOWN).any():
            wrong = pixels[labels == _UNKNOWN][0]
            raise InputError(
                f"{path}: the colour #{bytes(wrong.tolist()).hex()} is no class's; correct the "
                "file (smoothed edges?) or data.colors"
            )
        return labels

    def _from_objects(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A number beyond the last object's stands for what is unknown."""
        number = pixels.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1])
        table = np.array([*self.objects, IGNORE], np.uint8)
        labels: NDArray[np.uint8] = table[np.minimum(number, len(self.objects))]
        return labels


def read_objects(path: Path, classes: Sequence[str]) -> tuple[int, ...]:
    """The class of every object in a JSON list of names such as chair_3_office_1_1.

    Raises:
        InputError: There is no such list.
    """
    kinds = [str(name).split("_")[0] for name in read_json(path)]
    return tuple(classes.index(kind) if kind in classes else IGNORE for kind in kinds)
