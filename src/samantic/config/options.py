"""The allowed values of an option: its type, from its annotation, and the range of its numbers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from types import NoneType
from typing import Any, ClassVar, Literal, NamedTuple, get_args, get_origin, get_type_hints

from samantic.errors import InputError

SHOWN = 60
"""Largest number of characters of a value that an error shows."""

SEED = 2**32 - 1


class Range(NamedTuple):
    """Numbers from `low` to `high`; `low` is excluded if `above` is set. NaN is never in a range.

    Example:
        >>> str(Range(0, 1, above=True))
        'above 0, up to 1'
    """

    low: float
    high: float
    above: bool = False

    def holds(self, number: float) -> bool:
        """Whether a number lies in it."""
        return (number > self.low if self.above else number >= self.low) and number <= self.high

    def __str__(self) -> str:
        return f"above {self.low}, up to {self.high}" if self.above else f"{self.low}..{self.high}"


SHARE, WEIGHT, RATE = Range(0, 1), Range(0, 1_000_000), Range(0, 1)

RANGES = {
    "window": Range(32, 16384),
    "data.rig": Range(-(10**9), 10**9),
    "data.eval_size": Range(32, 8192),
    "data.workers": Range(0, 256),
    "adapt.rank": Range(1, 4096),
    "adapt.alpha": Range(0, 1_000_000, above=True),
    "augment.color": SHARE,
    "augment.hue": Range(0, 0.5),
    "augment.color_probability": SHARE,
    "augment.blur": SHARE,
    "augment.blur_size": Range(1, 99),
    "augment.blur_sigma": Range(0, 50, above=True),
    "augment.thermal_gain": SHARE,
    "augment.thermal_noise": SHARE,
    "augment.misalign": Range(0, 1024),
    "augment.modality_dropout": Range(0, 0.5),
    "augment.crop": Range(32, 8192),
    "augment.scale": Range(0.05, 20),
    "augment.flip": SHARE,
    "augment.rare": SHARE,
    "augment.paste": SHARE,
    "loss.auxiliary": WEIGHT,
    "loss.prototype": WEIGHT,
    "loss.language": WEIGHT,
    "loss.tau": Range(0.001, 100),
    "loss.cross_modal": WEIGHT,
    "loss.teacher": WEIGHT,
    "loss.class_balance": SHARE,
    "loss.boundary_weight": Range(0, 1000),
    "loss.boundary_width": Range(1, 256),
    "loss.whole": WEIGHT,
    "loss.window": WEIGHT,
    "loss.boundary": WEIGHT,
    "loss.consistency": WEIGHT,
    "loss.features": WEIGHT,
    "loss.cover": SHARE,
    "loss.smallest": Range(0, 10**9),
    "loss.distance": Range(0, 256),
    "masks.side": Range(1, 256),
    "masks.quality": SHARE,
    "masks.stability": SHARE,
    "masks.size": Range(32, 16384),
    "masks.damage": Range(0, 5),
    "masks.seed": Range(0, SEED),
    "teacher.learning_rate": RATE,
    "train.epochs": Range(1, 1_000_000),
    "train.steps": Range(1, 10**9),
    "train.batch_size": Range(1, 65536),
    "train.accumulate": Range(1, 65536),
    "train.learning_rate": RATE,
    "train.weight_decay": Range(0, 10),
    "train.warmup": SHARE,
    "train.clip": Range(0, 1_000_000, above=True),
    "train.ema": Range(0, 0.99999),
    "train.validations": Range(1, 1_000_000),
    "train.save_minutes": Range(0, 10_000),
    "train.devices": Range(1, 1024),
    "train.seed": Range(0, SEED),
}
"""The range of every number of a configuration, by its key; each number of a list must lie in it.

AdamW moves a weight by about the learning rate in a step, so a rate above 1 is not useful.
"""


@dataclass(frozen=True)
class Options:
    """Options that are checked when they are created, in Python and from a file; paths become text.

    A subclass names its section of a configuration, as in `class TrainConfig(Options,
    section="train")`. The key of each number, such as train.steps, must be in `RANGES`.

    Raises:
        InputError: A value has another type, lies out of its range, or breaks a rule.
    """

    section: ClassVar[str] = ""

    def __init_subclass__(cls, *, section: str = "") -> None:
        super().__init_subclass__()
        cls.section = section

    def __post_init__(self) -> None:
        wrong = []
        for name, hint in hints(type(self)).items():
            if isinstance(value := getattr(self, name), os.PathLike):
                object.__setattr__(self, name, os.fspath(value))
            try:
                check(f"{self.section}.{name}".lstrip("."), getattr(self, name), hint)
            except InputError as error:
                wrong.append(str(error))
        refuse(wrong or list(self.broken()))

    def broken(self) -> Iterator[str]:
        """Errors beyond types and ranges, such as values that do not fit together."""
        return iter(())


class Default(str):
    """The default of a text option; a class that contains it may set another default."""


def refuse(wrong: list[str]) -> None:
    """Report all errors at once.

    Raises:
        InputError: There is an error.
    """
    if wrong:
        raise InputError("; ".join(dict.fromkeys(wrong)))


def hints(kind: type[Any]) -> dict[str, Any]:
    """The types of a dataclass's fields by name."""
    found = get_type_hints(kind)
    return {field.name: found[field.name] for field in fields(kind)}


def arms(hint: Any) -> tuple[type[Any], ...]:
    """The dataclasses of a section: one, or those of a tagged union; empty for a plain value."""
    found = get_args(hint) or (hint,)
    return found if all(map(is_dataclass, found)) else ()


def check(key: str, value: object, hint: Any) -> None:
    """Refuse a value of another type or out of its range.

    Args:
        key: Its key in a configuration.
        value: The value.
        hint: The type of its annotation.

    Raises:
        InputError: The value is not allowed; the line names key, value and what is allowed.
    """
    bounds = RANGES.get(key)
    if not fits(value, hint) or not (bounds is None or all(map(bounds.holds, numbers(value)))):
        within = "" if bounds is None else f" in {bounds}" if not bounds.above else f" {bounds}"
        raise InputError(f"{key} is {quoted(value)}; it must be {wanted(hint, within)}")


def fits(value: object, hint: Any) -> bool:
    """Whether a value has a type; true and false are no numbers."""
    origin, members = get_origin(hint), get_args(hint)
    if origin is Literal:
        return isinstance(value, str) and value in members
    if origin is tuple:
        return (
            isinstance(value, tuple | list)
            and len(value) == len(members)
            and all(map(fits, value, members))
        )
    if origin is list:
        return isinstance(value, tuple | list) and all(fits(v, members[0]) for v in value)
    if members:  # a union
        return any(fits(value, member) for member in members)
    return isinstance(value, (int, float) if hint is float else hint) and (
        hint is bool or not isinstance(value, bool)
    )


def numbers(value: object) -> Iterator[float]:
    """The numbers in a value, also those of lists in it."""
    if isinstance(value, tuple | list):
        for part in value:
            yield from numbers(part)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


def quoted(value: object) -> str:
    """A value for an error, shortened to `SHOWN` characters."""
    try:
        text = repr(value)
    except ValueError:  # Python does not print numbers of more than 4300 digits
        text = "a number of thousands of digits"
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def wanted(hint: Any, within: str = "") -> str:
    """A type as a phrase for an error.

    Args:
        hint: The type.
        within: The range of its numbers, as a phrase.

    Example:
        >>> wanted(int | None, " in 1..9")
        'a whole number in 1..9, or null'
    """
    origin, members = get_origin(hint), get_args(hint)
    if origin is Literal:
        return f"one of {', '.join(members)}"
    if origin is tuple:
        kind = "whole numbers" if int in members else "numbers"
        return f"{len(members)} {kind}{within}"
    if origin is list:
        if get_origin(members[0]) is Literal:
            return f"a list of some of {', '.join(get_args(members[0]))}"
        if members[0] is str:
            example = 'quote yes, no, on, off, null and numbers, e.g. "no"'
            return f"a list of texts such as [car, person]; {example}"
        return (
            f"a list of numbers{within}"
            if get_origin(members[0]) is None
            else f"a matrix of numbers{within}"
        )
    if members:
        parts = [wanted(member, within) for member in members if member is not NoneType]
        parts += ["null"] * (NoneType in members)
        return ", or ".join(dict.fromkeys(parts))
    if is_dataclass(hint):
        return "a mapping of keys to values"
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    return words[hint] + (within if hint in (int, float) else "")
