"""Files of an export: JSON, cached while it is in use, and XML without entities."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder  # `read_xml` restricts expat
from xml.parsers import expat  # a document type is refused, and with it all entities

from samantic.convert.export import without_ending
from samantic.data.folders import Images
from samantic.errors import InputError
from samantic.files import MIB, read_json, read_text

LARGEST = 1024 * MIB
"""Largest size in bytes of a file that is read."""

DEPTH = 50
"""Largest depth of nested XML elements."""

_SPLIT = re.compile(r"(?:^|[^a-z])(train|val|test)(?:ing|id|idation)?(?:[^a-z]|$)")


def files_of(source: Path, ending: str) -> list[Path]:
    """The file itself, or the files below a folder with an ending; hidden ones are skipped."""
    if source.is_file():
        return [source] if source.suffix.lower() == ending else []
    found = (path for path in source.rglob("*") if path.suffix.lower() == ending)
    return sorted(p for p in found if p.is_file() and not _hidden(p.relative_to(source)))


def images_below(folder: Path) -> dict[str, Path]:
    """The images of a folder and its subfolders, by their paths without ending.

    Raises:
        InputError: Two images of one folder differ only in ending, letter case or Unicode form.
    """
    found = Images(folder, folder)
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        if not _hidden(inner.parent):
            found.add(without_ending(inner.as_posix()), path, "name")
    return dict(found)


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def load_json(path: Path) -> Any:
    """The content of a JSON file. The last file is cached, so do not change the result.

    Raises:
        InputError: The file is no JSON.
    """
    changed = path.stat().st_mtime_ns if path.exists() else 0
    return _load_json(path, changed)


@lru_cache(maxsize=1)
def _load_json(path: Path, changed: int) -> Any:
    return read_json(path, LARGEST)


def split_of(path: Path, source: Path) -> str:
    """The split in the name of a file, or of a folder around it; "" for none."""
    inner = path.relative_to(source).parts if path != source else (path.name,)
    for part in reversed(inner):
        if match := _SPLIT.search(part.lower()):
            return match.group(1)
    return ""


def in_order(lists: Sequence[Sequence[str]]) -> list[str]:
    """Each name of several lists once, in the order of the first list that contains it."""
    return list(dict.fromkeys(name for names in lists for name in names))


def read_xml(path: Path) -> Element:
    """The root element of an XML file.

    A document type is refused, and with it every entity: entities that include other files, and
    entities that grow when they are expanded.

    Raises:
        InputError: The file is no XML, is nested too deeply, or has a document type.
    """
    builder, parser = TreeBuilder(), expat.ParserCreate()
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEPTH:
            raise InputError(f"{path}: XML nested too deeply; export it anew")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(*_: object) -> None:
        raise InputError(
            f"{path}: has a document type (<!DOCTYPE>), which no export needs; remove it"
        )

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        parser.Parse(read_text(path, "file", LARGEST), True)
    except expat.ExpatError as error:
        raise InputError(f"{path}: not valid XML ({error}); export it anew") from None
    return builder.close()
