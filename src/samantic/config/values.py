"""Words and YAML values converted to the types of a configuration, and its keys by name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, fields
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin

from samantic.config.networks import NetworkConfig, own_options
from samantic.config.options import arms, hints, quoted, refuse, wanted
from samantic.errors import InputError

T = TypeVar("T")

MOST_TOLD = 5
"""Largest number of unknown keys that are named."""


def config_keys(kind: type[Any]) -> dict[str, Any]:
    """The type of every key, such as train.steps, and of every section, such as train."""
    found: dict[str, Any] = {}
    for name, hint in hints(kind).items():
        found[name] = hint
        for arm in arms(hint):
            for key, value in config_keys(arm).items():
                full = f"{name}.{key}"
                found[full] = found[full] | value if full in found else value
    return found


def similar(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant: it ends in the word, starts or looks like it."""
    words = sorted(known)
    ends = [other for other in words if other.split(".")[-1] == word]
    begins = [other for other in words if other.startswith(word)]
    close = difflib.get_close_matches(word, words, 1)
    return next(iter([*ends, *close, *begins]), None)


def key_of(word: str) -> str:
    """The key that an option sets: --train.batch-size=4 sets train.batch_size."""
    return word.removeprefix("--").partition("=")[0].replace("-", "_")


def unknown_option(word: str, known: Iterable[str]) -> str:
    """The error for an option that does not exist, with the option that was probably meant."""
    return f"unrecognised arguments: {_guessed(word, known)}"


def unknown_options(words: Iterable[str], known: Iterable[str]) -> str:
    """`unknown_option` for several words."""
    there = list(known)
    return f"unrecognised arguments: {', '.join(_guessed(word, there) for word in words)}"


def _guessed(word: str, known: Iterable[str]) -> str:
    """An option that does not exist, with the option that was probably meant."""
    option = word.partition("=")[0]
    by_key = {key_of(name): name for name in known}
    meant = similar(key_of(option), by_key) if option.startswith("--") else None
    guess = "" if meant is None else f" (did you mean --{by_key[meant].removeprefix('--')}?)"
    return f"{quoted(option)[1:-1]}{guess}"


def overridden(words: list[str], kind: type[Any]) -> dict[str, Any]:
    """Values by key from `--key value` words; a flag without a value is true.

    Raises:
        InputError: A key is unknown, or lacks its value.
    """
    known, found = config_keys(kind), dict[str, Any]()
    left = list(words)
    while left:
        word = left.pop(0)
        key = key_of(word)
        if not word.startswith("--") or key not in known:
            raise InputError(unknown_option(word, known))
        if "=" in word:
            found[key] = from_text(word.partition("=")[2], known[key])
        elif left and not left[0].startswith("--"):
            found[key] = from_text(left.pop(0), known[key])
        elif known[key] is bool:
            found[key] = True
        else:
            raise InputError(f"--{key} needs a value, as in --{key}=VALUE")
    return found


def from_text(text: str, hint: Any) -> Any:
    """The value of a command-line word; the word itself if it does not fit the type."""
    members = get_args(hint) if get_origin(hint) is not Literal else ()
    members = members or (hint,)
    if NoneType in members and text in ("null", "~"):
        return None
    listed = any(get_origin(member) is list for member in members) and text.startswith("[")
    if not listed and any(member is str or get_origin(member) is Literal for member in members):
        return text
    from samantic.yaml_text import parse_yaml  # PyYAML, which exported models do not need

    try:
        return coerced(parse_yaml(text) if text.strip() else text, hint)
    except ValueError:
        return text


def coerced(value: Any, hint: Any) -> Any:
    """Convert YAML lists to tuples and YAML texts to numbers, where the type needs it."""
    members = get_args(hint) or (hint,)
    if isinstance(value, list):
        pairs = [member for member in members if get_origin(member) is tuple] or (
            [hint] if get_origin(hint) is tuple else []
        )
        if pairs:
            part = get_args(pairs[0])[0]
            return tuple(coerced(item, part) for item in value)
    if float in members and str not in members:
        if isinstance(value, str) and re.fullmatch(r"[-+.\w]{1,40}", value):  # YAML's 1e-4 is text
            try:
                return float(value)
            except ValueError:
                return value
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53:
            return float(value)
    return value


def merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Nested values after changes by full key; a mapping changes only the keys that it names."""
    out = dict(values)
    for key, value in changes.items():
        first, _, rest = key.partition(".")
        inner = out.get(first)
        if rest:
            out[first] = merged(inner if isinstance(inner, dict) else {}, {rest: value})
        elif isinstance(value, dict) and isinstance(inner, dict):
            out[first] = merged(inner, value)
        else:
            out[first] = value
    return out


def refuse_unknown(values: dict[Any, Any], kind: type[Any]) -> None:
    """Refuse keys that do not exist.

    Raises:
        InputError: A key is unknown; the line names the key that was probably meant. For a file
            without any known key it does not list them.
    """
    known = hints(kind)
    if values and not known.keys() & values.keys():
        raise InputError(f"no configuration; it needs {', '.join(list(known)[:2])} and others")
    unknown = list(_unknown(values, known, ""))
    if len(unknown) > MOST_TOLD:
        unknown[MOST_TOLD:] = [f"{len(unknown) - MOST_TOLD} more"]
    if unknown:
        raise InputError(f"unknown key{'s' * (len(unknown) > 1)} {', '.join(unknown)}")


def _unknown(values: dict[Any, Any], known: dict[str, Any], prefix: str) -> Iterator[str]:
    """Keys that do not exist, each with the key that was probably meant."""
    for key, value in values.items():
        if key not in known:
            meant = similar(str(key), known)
            guess = "" if meant is None else f" (did you mean {prefix}{meant}?)"
            plain = re.fullmatch(r"[\w.-]{1,40}", str(key))
            yield f"{prefix}{key if plain else 'that is no word'}{guess}"
        elif (kinds := arms(known[key])) and isinstance(value, dict):
            inner = {name: hint for kind in kinds for name, hint in hints(kind).items()}
            yield from _unknown(value, inner, f"{prefix}{key}.")


def build(kind: type[T], values: dict[str, Any], prefix: str = "") -> T:
    """Build a dataclass from nested values.

    Raises:
        InputError: A key is missing, or a value does not fit; the line lists the errors of all
            sections.
    """
    types, found, wrong = hints(kind), dict[str, Any](), list[str]()
    for field in fields(kind):  # type: ignore[arg-type]
        name, hint = field.name, types[field.name]
        key = f"{prefix}{name}"
        needed = field.default is MISSING and field.default_factory is MISSING
        if arms(hint) and (needed or values.get(name) is not None):
            try:
                found[name] = section(hint, values.get(name), key)
            except InputError as error:
                wrong.append(str(error))
        elif name in values and not arms(hint):
            found[name] = coerced(values[name], hint)
        elif needed:
            wrong.append(f"{key} is missing; give it in the file, or as --{key}")
    refuse(wrong)
    return kind(**found)


def section(hint: Any, values: Any, key: str) -> Any:
    """Build the dataclass of one section; for a tagged union, its key `network` selects the class.

    Args:
        hint: A dataclass, or a union of dataclasses.
        values: The section's nested values; None for none.
        key: The section's key, for messages.

    Raises:
        InputError: The values are no mapping, or a value does not fit.
    """
    if not isinstance(values, dict | None):
        raise InputError(f"{key} is {quoted(values)}; it must be a mapping of keys to values")
    values, kinds = values or {}, arms(hint)
    kind = kinds[0] if len(kinds) == 1 else network_kind(kinds, values, key)
    if not issubclass(kind, NetworkConfig):
        return build(kind, values, f"{key}.")
    types = hints(kind)
    own = own_options(kind, values, key)
    return kind(**{name: coerced(value, types[name]) for name, value in own.items()}, within=key)


def network_kind(
    kinds: tuple[type[Any], ...], values: dict[str, Any], key: str
) -> type[NetworkConfig]:
    """The dataclass that the tag `network` in the values selects; without a tag, the first.

    Raises:
        InputError: The tag names no dataclass.
    """
    tagged = {kind.network: kind for kind in kinds}
    tag = values.get("network", next(iter(tagged)))
    if not isinstance(tag, str) or tag not in tagged:
        names: Any = Literal[tuple(tagged)]
        raise InputError(f"{key}.network is {quoted(tag)}; it must be {wanted(names)}")
    return tagged[tag]
