"""The content of a labelling tool's export: pictures, and their objects in drawing order."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from samantic.convert.regions import MOST_PIXELS, Patch, Size
from samantic.data.folders import SUFFIXES
from samantic.errors import InputError
from samantic.strings import is_control, normal

LONGEST = 240
"""Largest length of an image's path in bytes."""

VOID = ""
"""The label of ignored pixels."""


class Drawing(NamedTuple):
    """The labels of a picture.

    Attributes:
        size: Its height and width.
        patches: Its objects; a later one covers an earlier one.
    """

    size: Size
    patches: Iterable[Patch]


@dataclass(frozen=True)
class Picture:
    """A labelled picture.

    Attributes:
        name: Path of its image without the ending, relative to any folder that holds it.
        where: Its name in errors: the file of the export, and the image.
        draw: Returns its labels; takes the size of the image file, or None if there is none.
        split: Its split; "" if the export gives none.
        others: Other names that its image may have.
        file: Its label image, which must not be taken for its image; None if labels are stored
            elsewhere.
    """

    name: str
    where: str
    draw: Callable[[Size | None], Drawing]
    split: str = ""
    others: tuple[str, ...] = ()
    file: Path | None = None


@dataclass(frozen=True)
class Export:
    """A labelling tool's export.

    Attributes:
        title: Its format.
        classes: Its class names, in the order of their ids if it has ids.
        pictures: The labelled pictures.
        folders: Folders that may hold its images.
        complete: Whether every pixel has a label, so that no pixel is background by default.
        numbered: Whether classes have ids but no names.
        skipped: Number of entries without an area or a label, by kind.
        notes: Notes for the user.
    """

    title: str
    classes: Sequence[str]
    pictures: Sequence[Picture]
    folders: Sequence[Path]
    complete: bool = False
    numbered: bool = False
    skipped: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)


def stem_of(text: object, where: str) -> str:
    """The path of an image without its ending, as an export gives it.

    Raises:
        InputError: The value is no path, or leads out of its folder.
    """
    if not isinstance(text, str) or not text.strip():
        raise InputError(f"{where}: names no image file; export it anew")
    if any(map(is_control, text)) or len(text.encode()) > LONGEST:
        raise InputError(f"{where}: its image has a name that no file can have; rename it")
    path = PurePosixPath(normal(text).replace("\\", "/"))
    if ".." in path.parts or path.is_absolute() or ":" in path.parts[0]:
        raise InputError(f"{where}: the image {text!r} leads out of its folder; correct the path")
    return without_ending(path.as_posix())


def last_stem(text: object, where: str) -> str:
    """The name of an image without folders, for exports that store paths of another machine.

    Raises:
        InputError: The value is no path.
    """
    if not isinstance(text, str):
        return stem_of(text, where)
    return stem_of(text.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1], where)


def without_ending(path: str) -> str:
    """A path without an image's ending; other endings belong to the name."""
    ending = PurePosixPath(path).suffix
    return path[: -len(ending)] if ending.lower() in SUFFIXES else path


def settle_size(declared: Any, known: Size | None, where: str) -> Size:
    """The size of a picture, after checks.

    Args:
        declared: Height and width in the export; None for unknown ones.
        known: Height and width of its image file; None if there is none.
        where: Its name in errors.

    Raises:
        InputError: There is no size, it is invalid or too large, or differs from the image's.
    """
    height, width = declared or (None, None)
    if height is None or width is None:
        if known is None:
            raise InputError(f"{where}: no size is given; give its images by --images")
        return known
    if not (_whole(height) and _whole(width)):
        raise InputError(f"{where}: {width!r}x{height!r} is no size in pixels; export it anew")
    size = int(height), int(width)
    if known is not None and known != size:
        raise InputError(
            f"{where}: labelled at {size[1]}x{size[0]} pixels, but its image has "
            f"{known[1]}x{known[0]}; give the images that were labelled"
        )
    if size[0] * size[1] > MOST_PIXELS:
        raise InputError(f"{where}: {size[1]}x{size[0]} pixels are too many; cut it into parts")
    return size


def _whole(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 1 <= value < float("inf") and value == int(value)


@contextmanager
def told(where: str) -> Iterator[None]:
    """Turn the exceptions that a broken export causes into one line.

    Raises:
        InputError: In place of the exception.
    """
    try:
        yield
    except InputError:
        raise
    except KeyError as error:
        raise InputError(f"{where}: has no {error.args[0]!r}; export it anew") from None
    except (UnicodeError, AttributeError, IndexError, TypeError):
        raise InputError(f"{where}: does not follow its format; export it anew") from None
    except (ValueError, OverflowError) as error:
        raise InputError(f"{where}: {_plainly(error)}; correct it, or export it anew") from None


def _plainly(error: Exception) -> str:
    """The text of an error, reworded if it is Python's message on text that is no number."""
    found = re.match(r"(?:could not convert|invalid literal for int).*: ('.*')$", str(error))
    return f"{found[1]} is no number" if found else str(error)
