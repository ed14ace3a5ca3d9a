"""Label images: one channel of class ids, or colours that stand for classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samantic.config.classes import IGNORE
from samantic.data.image_files import decode, refuse_lossy
from samantic.data.raster import Raster
from samantic.errors import InputError
from samantic.files import read_json

Colour = tuple[int, int, int]
"""Red, green and blue, each 0..255."""

_UNKNOWN = 254


@dataclass(frozen=True)
class LabelCode:
    """How the values of a label image map to classes.

    Attributes:
        num_classes: Number of classes K, at most 254.
        ids: The id of each class in the files; empty for 0..K-1.
        ignored: Ids, besides 255, that are ignored in training and evaluation.
        colours: The colour of each class, for label images of three channels and of palettes, and
            for those of one channel if all colours are gray; empty where colours are refused.
        objects: For a data set that numbers objects: the class of each object, `IGNORE` for none.
            Its label images store the number as a 24-bit colour. Empty elsewhere.
    """

    num_classes: int
    ids: tuple[int, ...] = ()
    ignored: tuple[int, ...] = ()
    colours: tuple[Colour, ...] = ()
    objects: tuple[int, ...] = ()

    def read(self, path: Path) -> NDArray[np.uint8]:
        """Read a label image as (H, W) uint8 of class ids 0..K-1 and 255 (ignored).

        The values of some files may mean ids, or gray levels or colours. Such a file is accepted
        only if one of the two readings gives classes, or both give the same classes.

        Raises:
            InputError: The file was compressed with loss, has transparent pixels, several channels
                without known colours, a value that stands for no class, or an ambiguous meaning.
        """
        found = decode(path)
        refuse_lossy(found)
        if found.kind == "colour" and self.objects:
            return self._from_objects(found.samples)
        found.refuse_dropped()
        found.refuse_transparent("class")
        if found.kind == "colour" and self.colours:
            return self._from_colours(found)
        if found.samples.dtype != np.uint8 or found.kind == "colour":
            shown = "colours" if found.kind == "colour" else str(found.samples.dtype)
            raise InputError(
                f"{path}: labels must be one 8-bit channel of class ids, this is {shown}; "
                "save the ids, or give the classes' colours (layout pairs)"
            )
        return self._from_values(found)

    @property
    def gray(self) -> bool:
        """Whether all colours are gray: then one channel holds gray levels, not ids."""
        return bool(self.colours) and all(len(set(colour)) == 1 for colour in self.colours)

    def _from_values(self, found: Raster) -> NDArray[np.uint8]:
        """The class ids of a channel of 8 bits or fewer, if its meaning is not ambiguous."""
        used = np.flatnonzero(np.bincount(found.samples.ravel(), minlength=256))
        tables = list(self._tables(found))
        known = [table for table in tables if (table[used] != _UNKNOWN).all()]
        if not known:
            self._refuse(found, used[tables[0][used] == _UNKNOWN][0])
        if any((table[used] != known[0][used]).any() for table in known):
            shown = ", ".join(map(str, used[:5]))
            raise InputError(
                f"{found.name}: its values ({shown}) may be class ids, or stand for gray levels or "
                f"colours ({found.kind}, {found.bits} bits); save the ids as gray PNG of 8 bits"
            )
        labels: NDArray[np.uint8] = known[0][found.samples]
        return labels

    def _tables(self, found: Raster) -> Iterator[NDArray[np.uint8]]:
        """Class id of each value (256,) in each possible reading of a channel; or `_UNKNOWN`."""
        values = np.arange(256)
        if found.kind == "palette" and self.colours:
            yield self._of_colours(found.palette)
            return
        levels = found.gray_palette
        if found.kind == "gray":
            levels = np.minimum(values * found.step, 255).astype(np.uint8)
        if not self.gray:
            yield self._of_ids(values)
            if levels is not None:
                yield self._of_ids(levels)
        if levels is not None and self.colours:
            yield self._of_colours(np.repeat(levels[:, None], 3, axis=1))

    def _of_ids(self, values: NDArray[np.integer]) -> NDArray[np.uint8]:
        table = np.full(256, _UNKNOWN, np.uint8)
        table[list(self.ids or range(self.num_classes))] = np.arange(self.num_classes)
        table[[*self.ignored, IGNORE]] = IGNORE
        return _filled(table[values])

    def _of_colours(self, values: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Class ids of (n, 3) colours."""
        table = np.full(len(values), _UNKNOWN, np.uint8)
        for label, colour in enumerate(self.colours):
            table[(values == np.array(colour)).all(axis=-1)] = label
        return _filled(table)

    def _from_colours(self, found: Raster) -> NDArray[np.uint8]:
        pixels = found.samples
        labels = np.full(pixels.shape[:2], _UNKNOWN, np.uint8)
        for label, colour in enumerate(self.colours):
            labels[(pixels == np.array(colour, np.uint8)).all(axis=-1)] = label
        if (labels == _UNKNOWN).any():
            _refuse_colour(found.name, pixels[labels == _UNKNOWN][0])
        return labels

    def _refuse(self, found: Raster, value: np.integer) -> None:
        """Refuse a value that stands for no class."""
        if self.colours and (found.kind == "palette" or self.gray):
            if found.kind == "palette" and value >= len(found.palette):
                raise InputError(
                    f"{found.name}: index {value}, but its palette has {len(found.palette)} "
                    "colours; save it as RGB"
                )
            gray = np.full(3, value * found.step)
            _refuse_colour(
                found.name, found.palette[value] if found.kind == "palette" else gray, found.kind
            )
        known = f"0..{self.num_classes - 1}" if not self.ids else ", ".join(map(str, self.ids))
        raise InputError(
            f"{found.name}: label id {value}, but there are {self.num_classes} classes "
            f"({known}, {IGNORE} is ignored); correct the file or the class list"
        )

    def _from_objects(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Map object numbers to classes; a number beyond the last object means unknown."""
        number = pixels.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1])
        table = np.array([*self.objects, IGNORE], np.uint8)
        labels: NDArray[np.uint8] = table[np.minimum(number, len(self.objects))]
        return labels


def _filled(table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Extend a table (n,) to (256,) with `_UNKNOWN`."""
    whole = np.full(256, _UNKNOWN, np.uint8)
    whole[: len(table)] = table
    return whole


def _refuse_colour(name: str, colour: NDArray[np.integer], kind: str = "") -> None:
    """Refuse a colour that stands for no class."""
    where = " of the palette" if kind == "palette" else ""
    cure = "leave these out if the files hold ids" if kind else "smoothed edges?"
    raise InputError(
        f"{name}: the colour #{bytes(colour.tolist()).hex()}{where} is no class's; correct the "
        f"file or the classes' colours ({cure})"
    )


def read_objects(path: Path, classes: Sequence[str]) -> tuple[int, ...]:
    """Read the class of every object from a JSON list of names such as chair_3_office_1_1.

    Raises:
        InputError: There is no such list.
    """
    kinds = [str(name).split("_")[0] for name in read_json(path)]
    return tuple(classes.index(kind) if kind in classes else IGNORE for kind in kinds)
