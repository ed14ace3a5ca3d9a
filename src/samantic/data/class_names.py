"""Classes of data and of models, matched by their names."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

from samantic.errors import InputError


def match_names(names: Sequence[str], known: Sequence[str]) -> dict[int, int]:
    """Match names with known names: exactly, or else without letter case and outer spaces.

    Args:
        names: Class names by label id.
        known: The names that are searched.

    Returns:
        Index in `known` by index in `names`. A name that has no match, or several, is left out.

    Example:
        >>> match_names(["road", "Car"], ["car", "road"])
        {0: 1, 1: 0}
    """
    places = {name: place for place, name in enumerate(known)}
    found = {place: places[name] for place, name in enumerate(names) if name in places}
    ours = _by_plain_name(names, found.keys())
    theirs = _by_plain_name(known, set(found.values()))
    for name in ours.keys() & theirs.keys():
        if len(ours[name]) == len(theirs[name]) == 1:
            found[ours[name][0]] = theirs[name][0]
    return dict(sorted(found.items()))


def _by_plain_name(names: Sequence[str], without: Container[int]) -> dict[str, list[int]]:
    """The indices of each name in lower case and without outer spaces."""
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        if place not in without:
            places.setdefault(name.strip().casefold(), []).append(place)
    return places


def difference(ours: Sequence[str], theirs: Sequence[str]) -> str:
    """The first difference of two lists of class names, as a short phrase; "" for equal lists."""
    if tuple(ours) == tuple(theirs):
        return ""
    if sorted(ours) == sorted(theirs):
        place = next(i for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b)
        return f"in another order, first label {place}: {ours[place]!r} and {theirs[place]!r}"
    pairs = enumerate(zip(ours, theirs, strict=False))
    first = next((f"label {i} is {a!r} and {b!r}" for i, (a, b) in pairs if a != b), "")
    count = f"{len(ours)} and {len(theirs)}" if len(ours) != len(theirs) else ""
    return ", first ".join(part for part in (count, first) if part)


def kept_classes(
    classes: Sequence[str], source_classes: Sequence[str], same: Mapping[int, int]
) -> str:
    """Say in one line which classes keep a trained model's weights and which start anew.

    Args:
        classes: The new class names by label id.
        source_classes: The trained model's class names by label id.
        same: The trained model's label id by the new label id, for the classes that are kept.
    """
    kept = []
    for label, place in same.items():
        name, known = classes[label], source_classes[place]
        kept.append(name if name == known else f"{name} (there {known})")
    new = [name for label, name in enumerate(classes) if label not in same]
    return f"classes kept: {', '.join(kept) or 'none'}; starting anew: {', '.join(new) or 'none'}"


def parse_map(text: str) -> dict[str, str]:
    """Read "bole=person, cavity=" as the model's class by the data's class; "" means ignored.

    Raises:
        InputError: A part has no `=`, or a class of the data is named twice.
    """
    found: dict[str, str] = {}
    for part in text.split(","):
        ours, equals, theirs = (word.strip() for word in part.partition("="))
        if not equals or not ours:
            raise InputError(
                f'--map: {part.strip()!r} is no DATA=MODEL; write e.g. "bole=person,cavity="; an '
                "empty MODEL leaves the class out"
            )
        if ours in found:
            raise InputError(f"--map: {ours} is mapped twice; map it once")
        found[ours] = theirs
    return found


def class_table(
    data: Sequence[str], model: Sequence[str], mapping: Mapping[str, str]
) -> list[int | None]:
    """The model's label id of each class of the data; None for a class that does not count.

    Args:
        data: Class names of the data by label id.
        model: Class names of the model by label id.
        mapping: The model's class by the data's class, where names differ; see `parse_map`. Without
            a mapping, every name of one must match a name of the other.

    Raises:
        InputError: A class has no match, or `mapping` names an unknown class.
    """
    given: dict[int, int | None] = {}
    for ours, theirs in mapping.items():
        place = match_names([ours], data).get(0)
        if place is None:
            raise InputError(f"--map: the data has no class {ours!r}, only {', '.join(data)}")
        target = match_names([theirs], model).get(0) if theirs else None
        if theirs and target is None:
            raise InputError(f"--map: the model has no class {theirs!r}, only {', '.join(model)}")
        given[place] = target
    by_name = match_names(data, model)
    table: list[int | None] = []
    for place, name in enumerate(data):
        if place not in given and place not in by_name:
            raise InputError(
                f"classes differ: the data's {name!r} is none of the model's ({', '.join(model)}); "
                f'map it with --map "{name}=CLASS", or leave it out with "{name}="'
            )
        table.append(given[place] if place in given else by_name[place])
    missing = [name for place, name in enumerate(model) if place not in table]
    if missing and not mapping:
        raise InputError(
            f"classes differ: the model's {missing[0]!r} is none of the data's ("
            f"{', '.join(data)}); say which class of the data stands for it, --map DATA=MODEL"
        )
    return table
