"""Which classes are wanted, and the smallest confidence of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from samantic.config.classes import IGNORE
from samantic.config.options import quoted
from samantic.config.values import similar
from samantic.errors import InputError

UNKNOWN = IGNORE
"""Label of pixels whose class is not wanted, or whose confidence is too low."""

Threshold = float | Mapping[str, float]
"""Smallest confidence in 0..1: for all classes, or by class name."""


class Selection(NamedTuple):
    """Which pixels of a prediction become `UNKNOWN`.

    Attributes:
        only: Names of the wanted classes; None for all.
        least: Smallest confidence of a class by its name; 0 for classes without an entry.
    """

    only: tuple[str, ...] | None = None
    least: Mapping[str, float] = {}

    def labels(
        self, labels: NDArray[np.uint8], confidence: NDArray[np.float32], classes: tuple[str, ...]
    ) -> NDArray[np.uint8]:
        """Class ids (H, W), with 255 where the class is not wanted or the confidence is too low."""
        least = np.zeros(256, np.float32)
        for label, name in enumerate(classes):
            wanted = self.only is None or name in self.only
            least[label] = self.least.get(name, 0.0) if wanted else np.inf
        return np.where(confidence < least[labels], np.uint8(UNKNOWN), labels)

    def stored(self) -> dict[str, Any]:
        """The selection as it is stored in a folder's summary."""
        return {
            "only": None if self.only is None else ",".join(self.only),
            "threshold": ",".join(f"{n}={v:g}" for n, v in self.least.items()) or None,
        }


def selection_of(
    classes: tuple[str, ...],
    only: Sequence[str] | None = None,
    threshold: Threshold | None = None,
    prefix: str = "",
) -> Selection:
    """Make a selection from the user's words, checked against a model's classes.

    Args:
        classes: Names by label id.
        only: Names of the wanted classes; None for all.
        threshold: Smallest confidence for all classes, or by name.
        prefix: Text before `only` and `threshold` in an error, such as --.

    Raises:
        InputError: There is no such class, or a threshold is not in 0..1.
    """
    names = [only] if isinstance(only, str) else only
    if names is not None and not len(names):
        raise InputError(f"{prefix}only: names no class; the model knows {', '.join(classes)}")
    for name in names or ():
        class_id(name, classes, f"{prefix}only")
    least = threshold if isinstance(threshold, Mapping) else dict.fromkeys(classes, threshold)
    found = {}
    for name, value in least.items():
        class_id(name, classes, f"{prefix}threshold")
        if value is None:
            continue
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not number or not 0 <= value <= 1:
            raise InputError(f"{prefix}threshold is {quoted(value)}; it must be a number in 0..1")
        found[name] = float(value)
    return Selection(None if names is None else tuple(names), found)


def class_id(name: str | int, classes: tuple[str, ...], what: str = "class") -> int:
    """The label id of a class, given by name or id.

    Args:
        name: Name or id.
        classes: Names by label id.
        what: What to call it in an error.

    Raises:
        InputError: There is no such class.
    """
    if isinstance(name, str) and name in classes:
        return classes.index(name)
    if isinstance(name, int | np.integer) and 0 <= name < len(classes):
        return int(name)
    meant = similar(name, classes) if isinstance(name, str) else None
    guess = "" if meant is None else f" (did you mean {meant}?)"
    raise InputError(
        f"{what}: no class {quoted(name)}{guess}; the model knows {', '.join(classes)}"
    )


def parse_threshold(text: str) -> Threshold:
    """Read `0.5`, or `person=0.6,car=0.4`.

    Raises:
        InputError: The text has another form.
    """
    try:
        if "=" not in text:
            return float(text)
        pairs = (part.rpartition("=") for part in text.split(","))
        return {name.strip(): float(value) for name, _, value in pairs}
    except ValueError:
        raise InputError(
            f"--threshold {text!r}: give a number in 0..1, or CLASS=NUMBER,..., such as "
            "person=0.6,car=0.4"
        ) from None
