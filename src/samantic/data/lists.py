"""Lists of the pairs of a split, in the forms in which people write them."""

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
"""Words that are taken for a heading of a column."""


class NameIndex:
    """Finds the pair that a line of a list refers to.

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
        """The pair with this name, or with a file of this name."""
        text = normal(text)
        if text in self.names:
            return text
        names = {name for _, name in self.files.get(text, [])}
        return names.pop() if len(names) == 1 else None

    def by_path(self, text: str) -> str | None:
        """The pair whose file has this path.

        Only the folders that are part of the pattern are compared. The folders before them may
        differ: an absolute path, a relative path, or a path on another machine.
        """
        path = PurePosixPath(normal(text).replace("\\", "/"))
        last = path.name
        if last not in self.files and path.suffix.lower() in SUFFIXES:
            last = path.stem
        names = {name for inner, name in self.files.get(last, []) if _agree(inner, path)}
        return names.pop() if len(names) == 1 else None

    def pair(self, line: str) -> tuple[str | None, list[str]]:
        """The pair that a line refers to (None if it is not there), and the columns of the line."""
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
    """Read the names in the list of a split.

    A line holds a name, a file name or a path, with any ending and any folder. If a line has
    several columns (tab, comma, semicolon or space), the first one gives the pair, and files in the
    other columns must belong to the same pair. Empty lines, lines that begin with # and a heading
    are skipped. A name without files is returned unchanged.

    Args:
        listing: The list.
        found: The files of each kind by name.

    Returns:
        The names in the order of the list, and the names that occur twice with their line numbers.

    Raises:
        InputError: The list is no UTF-8 text, or a line names files of two pairs.
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
                    "partners are files of one name; correct it, or give patterns of the files' "
                    'names, e.g. labels by "labels/*_label.png"'
                )
        names.append(name)
        if name in lines:
            twice.append(f"{name} (lines {lines[name]} and {number})")
        lines.setdefault(name, number)
    return names, twice


def even_places(length: int, most: int) -> list[int]:
    """Evenly spaced indices of a list, the first and the last included.

    Args:
        length: Length of the list.
        most: Largest number of indices.

    Example:
        >>> even_places(7, 3)
        [0, 3, 6]
    """
    places: list[int] = np.linspace(0, length - 1, min(most, length)).round().astype(int).tolist()
    return places


def count_names(names: list[str], one: str, several: str, most: int = 10) -> str:
    """One name and its verb, or the number of names, the verb and the first names.

    Example:
        >>> count_names(["a", "b"], "is missing", "are missing")
        '2 are missing: a, b'
    """
    if len(names) == 1:
        return f"{names[0]} {one}"
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{len(names)} {several}: {', '.join(names[:most])}{rest}"


def _lines(listing: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not empty, with their numbers."""
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
    """Whether two paths end in the same folders, as far as the shorter one goes."""
    depth = min(len(inner), len(path.parent.parts))
    return depth == 0 or inner[-depth:] == path.parent.parts[-depth:]
