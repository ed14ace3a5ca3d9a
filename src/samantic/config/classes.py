"""Names and colours of classes, as users give them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from samantic.errors import InputError
from samantic.strings import is_control, normal, printable

IGNORE = 255
"""Label of pixels that are ignored in losses and metrics."""

MOST_CLASSES = 254


def check_names(names: Sequence[str], key: str) -> None:
    """Refuse class names that are not distinct, or not visible.

    Raises:
        InputError: A name is empty, begins or ends with a space, has control characters, or equals
            another one up to letter case or Unicode form.
    """
    seen: dict[str, int] = {}
    for label, name in enumerate(names):
        if not name.strip():
            raise InputError(f"{key}: the name of class {label} is empty; give it one")
        if name != name.strip():
            raise InputError(
                f"{key}: {printable(name)!r} (class {label}) begins or ends with a space; write "
                f"{printable(name.strip())!r}"
            )
        if any(map(is_control, name)):
            raise InputError(
                f"{key}: the name of class {label}, {printable(name)}, has control characters; "
                "remove them"
            )
        other = seen.setdefault(normal(name).casefold(), label)
        if other != label:
            first = names[other]
            what = "are one name" if normal(first) == normal(name) else "differ in letter case only"
            raise InputError(
                f"{key}: {first!r} (class {other}) and {name!r} (class {label}) {what}; rename one"
            )


def check_colours(texts: Sequence[str], classes: Sequence[str] | None, key: str) -> None:
    """Refuse invalid colours of classes; without `classes`, their number is not checked.

    Raises:
        InputError: An entry is no colour, two are the same, or their number is not that of the
            classes.
    """
    names = [f"class {label}" for label in range(len(texts))] if classes is None else classes
    colours_of(texts, names, key)


def colours_of(
    texts: Sequence[str], classes: Sequence[str], key: str = "data.colors"
) -> tuple[tuple[int, int, int], ...]:
    """Parse the colours of classes from #rrggbb; `key` is the option's name in errors.

    Raises:
        InputError: An entry is no colour, their number differs, or two classes have the same
            colour.
    """
    colours = tuple(colour(text, key) for text in texts)
    if len(colours) != len(classes):
        raise InputError(f"{key}: {len(colours)} colours for {len(classes)} classes; give one each")
    seen: dict[tuple[int, int, int], str] = {}
    for name, text, value in zip(classes, texts, colours, strict=True):
        if value in seen:
            raise InputError(
                f"{key}: {text} is the colour of {seen[value]} and of {name}; give each its own"
            )
        seen[value] = name
    return colours


def colour(text: str, key: str = "data.colors") -> tuple[int, int, int]:
    """Red, green and blue of #rrggbb; `key` is the option's name in errors.

    Raises:
        InputError: The text is no colour.
    """
    if not re.fullmatch("#?[0-9a-fA-F]{6}", text):
        raise InputError(
            f"{key}: {printable(text)!r} is not a colour; write red, green and blue as #rrggbb"
        )
    red, green, blue = bytes.fromhex(text.removeprefix("#"))
    return red, green, blue
