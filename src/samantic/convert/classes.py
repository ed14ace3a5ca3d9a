"""The classes of a converted data set, and the class of each label of an export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from samantic.config.classes import IGNORE, MOST_CLASSES, check_names
from samantic.convert.export import VOID, Export
from samantic.convert.request import IGNORED, Request
from samantic.errors import InputError
from samantic.strings import normal

BACKGROUND = ("background", "_background_", "unlabelled", "unlabeled", "void", "none", "other")
"""Usual names of a background class, the most frequent first."""


@dataclass(frozen=True)
class ClassTable:
    """The classes of a converted data set.

    Attributes:
        names: Class names by label id.
        rest: Label id of pixels without an object.
        request: The user's choices.
        numbered: Whether the export names classes by their ids.
    """

    names: tuple[str, ...]
    rest: int
    request: Request
    numbered: bool

    def of(self, label: str, where: str) -> int:
        """The label id of a label of the export.

        Raises:
            InputError: The label belongs to no class.
        """
        if label == VOID:
            return IGNORE
        name = self.request.mapping.get(label, label)
        if name == IGNORED and label != name:
            return IGNORE
        if self.numbered and name == label:
            number = int(label)
            if self.request.classes and number < len(self.names):
                return number
            if number == IGNORE:
                return IGNORE
        elif (place := _place(name, self.names)) is not None:
            return place
        what = "id" if self.numbered else "class"
        raise InputError(
            f"{where}: {what} {label!r} is none of {', '.join(self.names)}; add it to --classes, "
            f"or map it in a --map file, e.g. `{label}: {self.names[0]}` or "
            f"`{label}: ignore`"
        )


def settle_classes(export: Export, request: Request) -> ClassTable:
    """The classes of an export after the user's choices.

    The classes are those of `request`. Without them, they are the targets of the map, in its order,
    and then the export's classes that are not mapped. If the export leaves pixels without an object
    and no class is called background, background becomes class 0.

    Raises:
        InputError: There are too many classes, none has a name, or two names cannot be
            distinguished.
    """
    names = request.classes or _own_names(export, request)
    rest = _rest(names, export, request)
    if rest is None:
        names, rest = ("background", *names), 0
    check_names(names, "the classes of the export")
    if not 2 <= len(names) <= MOST_CLASSES:
        cure = "join some by --map" if len(names) > 2 else _too_few(export)
        raise InputError(
            f"{len(names)} class{'es' * (len(names) != 1)} ({', '.join(names[:5])}); a data set "
            f"has 2 to {MOST_CLASSES}: {cure}"
        )
    return ClassTable(names, rest, request, export.numbered)


def _too_few(export: Export) -> str:
    """Why there is no second class, as far as it is known."""
    if export.numbered:
        return "give every id that counts a class in --map, or name all by --classes"
    if export.classes:
        return "name what else there is by --classes"
    return "the export has no object with an area and a label"


def _own_names(export: Export, request: Request) -> tuple[str, ...]:
    mapped = [name for name in request.mapping.values() if name != IGNORED]
    if export.numbered:
        if not mapped:
            raise InputError(
                f"{export.title}: the classes have no names; give them by --classes in the order "
                "of their ids, or write a --map file with lines such as `7: road`"
            )
        return tuple(dict.fromkeys(mapped))
    own = [name for name in export.classes if name not in request.mapping]
    return tuple(dict.fromkeys([*mapped, *own]))


def _rest(names: Sequence[str], export: Export, request: Request) -> int | None:
    """The label id of pixels without an object; None if they need a new class."""
    if request.unlabelled == IGNORED:
        return IGNORE
    if request.unlabelled:
        place = _place(request.unlabelled, names)
        if place is None and request.unlabelled != "background":
            raise InputError(f"--unlabelled: {request.unlabelled!r} is none of {', '.join(names)}")
        return place
    for name in BACKGROUND:
        if (place := _place(name, names)) is not None:
            return place
    return IGNORE if export.complete or request.classes else None


def _place(name: str, names: Sequence[str]) -> int | None:
    """The index of a name, or else of the only name that differs in case and outer spaces."""
    if name in names:
        return list(names).index(name)
    plain = normal(name).strip().casefold()
    found = [i for i, other in enumerate(names) if normal(other).strip().casefold() == plain]
    return found[0] if len(found) == 1 else None
