"""Lists of the pairs of a split, read as people write them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from samantic.data.folders import SUFFIXES, Images
from samantic.errors import InputError
from samantic.strings import normal

HEADINGS = {"file", "filename", "id", "image", "label", "mask", "name", "rgb", "stem", "thermal"}
"""Words that head the columns of a list."""


class NameIndex:
    """Finds the pair that a line of a list means.

    Args:
        found: The files of each kind by name.
    """

    def __init__(self, found: Iterable[Images]) -> None:
        self.names: set[str] = set()
        self.files: defaultdict[str, list[tuple[tuple[str, ...], str]]] = defaultdict(list)
        for images in found:
            self.names |= images.keys()
            for name, path in images.items():
                inner = tuple(map(normal, path.relative_to(images.base).parent.parts))
                for last in (normal(path.name), normal(path.stem)):
                    self.files[last].append((inner, name))

    def exact(self, text: str) -> str | None:
        """The pair of this name, or the one with a file of this name."""
        text = normal(text)
        if text in self.names:
            return text
        names = {name for _, name in self.files.get(text, [])}
        return names.pop() if len(names) == 1 else None

    def by_path(self, text: str) -> str | None:
        """The pair with the file at a path, as far as its folders are those of a pattern.

        What lies before them may be written in any way: absolute, relative, of another machine.
        """
        path = PurePosixPath(normal(text).replace("\\", "/"))
        last = path.name
        if last not in self.files and path.suffix.lower() in SUFFIXES:
            last = path.stem
        names = {name for inner, name in self.files.get(last, []) if _agree(inner, path)}
        return names.pop() if len(names) == 1 else None

    def pair(self, line: str) -> tuple[str | None, list[str]]:
        """The pair that a line means, None if it is not there; and the columns of the line."""
        if name := self.exact(line):
            return name, [line]
        columns = [part.strip().strip("\"'") for part in re.split("[\t,;]", line)]
        first = columns[0]
        words = first.split()
        if name := self.exact(first):
            return name, columns
        if len(words) > 1 and words[0].lower().endswith(SUFFIXES):
            columns, first = [*words, *columns[1:]], words[0]
        elif name := self.by_path(first):
            return name, columns
        elif len(words) > 1:
            columns, first = [*words, *columns[1:]], words[0]
        return self.exact(first) or self.by_path(first), columns


def read_list(listing: Path, found: Iterable[Images]) -> tuple[list[str], list[str]]:
    """The names in the list of a split.

    A line holds a name, a file name or a path, with whatever ending and folder; of several columns
    (tab, comma, semicolon, blank) the first counts, and files in the others must be its partners.
    Empty lines, lines that begin with # and a line of headings are none. What is not there is
    returned as it stands.

    Args:
        listing: The list.
        found: The files of each kind by name.

    Returns:
        The names as they stand, and those that stand twice with the lines.

    Raises:
        InputError: It is no UTF-8 text, or names files of two names in one line.
    """
    index = NameIndex(found)
    lines: dict[str, int] = {}
    names: list[str] = []
    twice: list[str] = []
    for number, line in _lines(listing):
        name, columns = index.pair(line)
        if line.startswith("#") and index.exact(line) is None:
            continue
        if name is None:
            if not lines and HEADINGS.issuperset(map(str.lower, columns)):
                continue
            name = normal(columns[0])
        for other in columns[1:]:
            partner = index.by_path(other) if other.lower().endswith(SUFFIXES) else name
            if partner not in (None, name):
                raise InputError(
                    f"{listing}: line {number} takes {other} for the partner of {columns[0]}, but "
                    "partners are files of one name; correct it, or say by patterns how files are "
                    'named, e.g. labels by "labels/*_label.png"'
                )
        names.append(name)
        if name in lines:
            twice.append(f"{name} (lines {lines[name]} and {number})")
        lines.setdefault(name, number)
    return names, twice


def even_places(length: int, most: int) -> list[int]:
    """Places in a list, evenly spaced, the first and the last among them.

    Args:
        length: Of the list.
        most: At most so many.

    Example:
        >>> even_places(7, 3)
        [0, 3, 6]
    """
    places: list[int] = np.linspace(0, length - 1, min(most, length)).round().astype(int).tolist()
    return places


def count_names(names: list[str], one: str, several: str, most: int = 10) -> str:
    """One name, or how many there are with the first of them, and the verb.

    Example:
        >>> count_names(["a", "b"], "is missing", "are missing")
        '2 are missing: a, b'
    """
    if len(names) == 1:
        return f"{names[0]} {one}"
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{len(names)} {several}: {', '.join(names[:most])}{rest}"


def _lines(listing: Path) -> Iterator[tuple[int, str]]:
    """The lines that hold something, with their numbers."""
    content = listing.read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content:
        raise InputError(f"{listing}: UTF-16, not UTF-8 text; save it as UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{listing}: not UTF-8 text; list one name a line") from None
    for number, line in enumerate(re.split("\r\n|\r|\n", text), 1):
        if line.strip():
            yield number, line.strip()


def _agree(inner: tuple[str, ...], path: PurePosixPath) -> bool:
    """Whether the last folders of a path are those of a file, as far as both go."""
    depth = min(len(inner), len(path.parent.parts))
    return depth == 0 or inner[-depth:] == path.parent.parts[-depth:]
