"""The user's choices for a conversion: class names, their colours, and the map of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samantic.config.classes import check_names, colours_of
from samantic.errors import InputError
from samantic.files import read_yaml

IGNORED = "ignore"
"""The word for ignored pixels, in a map and for --unlabelled."""

DISTANCE = 32.0
"""Largest distance of a colour from the line between two classes' colours, 0..255 per channel."""


@dataclass(frozen=True)
class Request:
    """The user's choices.

    Attributes:
        classes: Class names by label id; empty for those of the export.
        colours: Colour of each of these classes, for label images that hold colours.
        mapping: The class, or `IGNORED`, by the label in the export: name, id or #rrggbb.
        unlabelled: The class of a pixel without an object, or `IGNORED`; "" for the default.
        distance: Largest distance of an anti-aliased pixel's colour, see `DISTANCE`.
    """

    classes: tuple[str, ...] = ()
    colours: tuple[tuple[int, int, int], ...] = ()
    mapping: Mapping[str, str] = field(default_factory=dict)
    unlabelled: str = ""
    distance: float = DISTANCE

    def key_colours(self) -> dict[str, tuple[int, int, int]]:
        """Colours of classes, by the label that the export gives them."""
        found = dict(zip(self.classes, self.colours, strict=False))
        for key in self.mapping:
            if key.startswith("#"):
                red, green, blue = bytes.fromhex(key[1:])
                found[key] = (red, green, blue)
        return found


def make_request(
    classes: Sequence[str] | None = None,
    colors: Sequence[str] | None = None,
    mapping: Path | None = None,
    unlabelled: str | None = None,
) -> Request:
    """Check the user's choices.

    Raises:
        InputError: Names or colours are not allowed, or the map is invalid.
    """
    names = tuple(classes or ())
    check_names(names, "--classes")
    if colors is not None and not names:
        raise InputError("--colors: say which classes they stand for, with --classes")
    colours = colours_of(colors, names, "--colors") if colors is not None else ()
    found = {} if mapping is None else read_map(mapping, names)
    for name in found.values():
        _check_known(name, names, f"{mapping}")
    if unlabelled:
        _check_known(unlabelled, names, "--unlabelled")
    return Request(names, colours, found, unlabelled or "")


def _check_known(name: str, classes: Sequence[str], where: str) -> None:
    if classes and name != IGNORED and name not in classes:
        raise InputError(f"{where}: {name!r} is none of --classes ({', '.join(classes)})")


def read_map(path: Path, classes: Sequence[str] = ()) -> dict[str, str]:
    """Read a map of labels, `7: road` or `road: [7, 8]`; null and `ignore` mean ignored pixels.

    Args:
        path: A YAML file.
        classes: Class names by label id, for maps from id to id.

    Raises:
        InputError: The file is no such map.
    """
    values = read_yaml(path, "map of classes")
    if not isinstance(values, dict) or not values:
        raise InputError(f"{path}: no map; write a line such as `7: road` for each id or name")
    found: dict[str, str] = {}
    for key, value in values.items():
        for given, target in (
            [(v, key) for v in value] if isinstance(value, list) else [(key, value)]
        ):
            source = _source(given, path)
            if source in found:
                raise InputError(f"{path}: {source} is mapped twice; map it once")
            found[source] = _target(target, classes, path)
    return found


def _source(value: Any, path: Path) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise InputError(
            f"{path}: {value!r} is no name, id or colour; quote names that YAML takes for more"
        )
    text = str(value)
    if text.startswith("#"):
        text = text.lower()
        if len(text) != 7 or any(c not in "0123456789abcdef" for c in text[1:]):
            raise InputError(f"{path}: {value!r} is not a colour; write #rrggbb")
    return text


def _target(value: Any, classes: Sequence[str], path: Path) -> str:
    if value is None or value == 255:
        return IGNORED
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(classes):
        return classes[value]
    raise InputError(
        f"{path}: {value!r} is no class; write its name, `ignore`, or with --classes its id"
    )
