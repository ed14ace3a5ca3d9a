"""Words and YAML brought to the types of a configuration, and its keys by name."""

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
"""At most this many unknown keys are named."""


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
    """The known word that was probably meant: one that ends in it, begins so, or looks alike."""
    words = sorted(known)
    ends = [other for other in words if other.split(".")[-1] == word]
    begins = [other for other in words if other.startswith(word)]
    close = difflib.get_close_matches(word, words, 1)
    return next(iter([*ends, *close, *begins]), None)


def key_of(word: str) -> str:
    """The key that an option sets: --train.batch-size=4 is train.batch_size."""
    return word.removeprefix("--").partition("=")[0].replace("-", "_")


def unknown_option(word: str, known: Iterable[str]) -> str:
    """What is wrong with an option that does not exist, and which was probably meant."""
    return f"unrecognised arguments: {_guessed(word, known)}"


def unknown_options(words: Iterable[str], known: Iterable[str]) -> str:
    """`unknown_option` of several."""
    there = list(known)
    return f"unrecognised arguments: {', '.join(_guessed(word, there) for word in words)}"


def _guessed(word: str, known: Iterable[str]) -> str:
    """An option that does not exist, and which was probably meant."""
    option = word.partition("=")[0]
    by_key = {key_of(name): name for name in known}
    meant = similar(key_of(option), by_key) if option.startswith("--") else None
    guess = "" if meant is None else f" (did you mean --{by_key[meant].removeprefix('--')}?)"
    return f"{quoted(option)[1:-1]}{guess}"


def overridden(words: list[str], kind: type[Any]) -> dict[str, Any]:
    """Values by key that `--key value` words give; a flag without a value is true.

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
    """A value that a word of the command line gives; where it fits no type, the word itself."""
    members = get_args(hint) if get_origin(hint) is not Literal else ()
    members = members or (hint,)
    if NoneType in members and text in ("null", "~"):
        return None
    listed = any(get_origin(member) is list for member in members) and text.startswith("[")
    if not listed and any(member is str or get_origin(member) is Literal for member in members):
        return text
    from samantic.yaml_text import parse_yaml  # PyYAML, which an exported model does without

    try:
        return coerced(parse_yaml(text) if text.strip() else text, hint)
    except ValueError:
        return text


def coerced(value: Any, hint: Any) -> Any:
    """What YAML reads as a list or a text in place of a tuple or a number, where one is wanted."""
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
    """Nested values with changes by full key; a mapping changes the keys that it names."""
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
        InputError: Some do not; the line names the keys that were probably meant. Of a file that
            has no key of a configuration it tells nothing.
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
    """Keys that do not exist, each with the one that was probably meant."""
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
    """A dataclass of nested values.

    Raises:
        InputError: A key is missing, or a value does not fit it; the line says it of all sections.
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
    """The dataclass of one section; of a tagged union the one that its key `network` names.

    Args:
        hint: A dataclass, or a union of dataclasses.
        values: The section's nested values; None for none.
        key: The section's key, for messages.

    Raises:
        InputError: It is no mapping, or a value does not fit.
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
    """The dataclass that the tag `network` among the values names; without one the first.

    Raises:
        InputError: It names none.
    """
    tagged = {kind.network: kind for kind in kinds}
    tag = values.get("network", next(iter(tagged)))
    if not isinstance(tag, str) or tag not in tagged:
        names: Any = Literal[tuple(tagged)]
        raise InputError(f"{key}.network is {quoted(tag)}; it must be {wanted(names)}")
    return tagged[tag]
