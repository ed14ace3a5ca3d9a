"""Which classes a converted data set has, and which of them each label of an export becomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from samantic.config.classes import IGNORE, MOST_CLASSES, check_names
from samantic.convert.export import VOID, Export
from samantic.convert.request import IGNORED, Request
from samantic.errors import InputError
from samantic.strings import normal

BACKGROUND = ("background", "_background_", "unlabelled", "unlabeled", "void", "none", "other")
"""Names of a class for pixels that are nothing else, the most usual first."""


@dataclass(frozen=True)
class ClassTable:
    """The classes of a converted data set.

    Attributes:
        names: By label id.
        rest: Label id of pixels without an object.
        request: What the user said.
        numbered: Whether the export names classes by their ids.
    """

    names: tuple[str, ...]
    rest: int
    request: Request
    numbered: bool

    def of(self, label: str, where: str) -> int:
        """The label id of what an export calls so.

        Raises:
            InputError: It is no class.
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
            f"{where}: {what} {label!r} is none of {', '.join(self.names)}; name it by --classes, "
            f"or say in a --map file what it becomes, e.g. `{label}: {self.names[0]}` or "
            f"`{label}: ignore`"
        )


def settle_classes(export: Export, request: Request) -> ClassTable:
    """The classes of an export as a user wants them.

    Those of `request`; else what the map makes of the export's, in the order of the map and then of
    the export. Where the export leaves pixels without an object and no class is called background,
    it becomes class 0.

    Raises:
        InputError: Too many, none that are named, or names that cannot be told apart.
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
    """The label id of what has no object; None if it needs a class of its own."""
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
    """Where a name stands, or else the only one that differs in case and outer blanks."""
    if name in names:
        return list(names).index(name)
    plain = normal(name).strip().casefold()
    found = [i for i, other in enumerate(names) if normal(other).strip().casefold() == plain]
    return found[0] if len(found) == 1 else None
