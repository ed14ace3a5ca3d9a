"""The texts of `--help` and `--help-all` on the keys of a configuration."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, Field, fields
from typing import Any, NamedTuple

import yaml

from samantic.config.options import RANGES, arms, hints, wanted
from samantic.config.values import merged

WIDTH = 96
"""Width of the text in columns."""

ENTRY = r"^ {4}(\w+): (.*(?:\n {8}.*)*)"
"""Pattern of a field and its meaning in the Args of a docstring."""


class KeySection(NamedTuple):
    """Keys of one section.

    Attributes:
        title: Title of the section; empty for the keys of the configuration itself.
        entries: A paragraph by key: its meaning, allowed values and default.
    """

    title: str
    entries: dict[str, str]


def config_help(kind: type[Any], defaults: dict[str, Any]) -> str:
    """Every key with its meaning, allowed values and default, one paragraph each.

    Args:
        kind: The configuration.
        defaults: Defaults by key that differ from the dataclass's.
    """
    lines = []
    for section in _sections(kind, "", merged({}, defaults)):
        lines += [f"\n{section.title}"] * bool(section.title)
        lines += section.entries.values()
    return "\n".join(lines)


def short_help(kind: type[Any], defaults: dict[str, Any], first: Sequence[str]) -> str:
    """The most important keys, one paragraph each, and the names of the others.

    Args:
        kind: The configuration.
        defaults: As in `config_help`.
        first: The most important keys, in their order.
    """
    sections = list(_sections(kind, "", merged({}, defaults)))
    lines = ["keys that matter first:"]
    for key in first:
        told = [(s.title, s.entries[key]) for s in sections if key in s.entries]
        for title, entry in told:
            network = re.search(r", (network \w+):", title) if len(told) > 1 else None
            which = f"  ({network[1]})" if network else ""
            lines.append(entry.replace(f"--{key}", f"--{key}{which}", 1))
    lines.append("\nothers, which --help-all explains:")
    for section in sections:
        others = [f"--{key}" for key in section.entries if key not in first]
        if others:
            lines += [f"  {section.title}"] * bool(section.title)
            indent = " " * 6
            lines += textwrap.wrap(
                " ".join(others),
                WIDTH,
                initial_indent=indent,
                subsequent_indent=indent,
                break_on_hyphens=False,
            )
    return "\n".join(lines)


def _sections(
    kind: type[Any], prefix: str, defaults: dict[str, Any], tag: str = ""
) -> Iterator[KeySection]:
    """The keys of a configuration itself, then those of its sections."""
    title, inner, entries = "", list[KeySection](), dict[str, str]()
    if prefix:
        words = str(kind.__doc__).split("\n\n")[0]
        title = f"{prefix.removesuffix('.')}{tag}: {' '.join(words.split())}"
    meanings = dict(_meanings(kind))
    for field in fields(kind):
        name, hint = field.name, hints(kind)[field.name]
        for arm in arms(hint):
            tag = f", network {arm.network}" if len(arms(hint)) > 1 else ""
            inner += _sections(arm, f"{prefix}{name}.", defaults.get(name, {}), tag)
        if not arms(hint):
            default = defaults.get(name, field.default)
            entries[f"{prefix}{name}"] = _entry(field, hint, prefix, meanings[name], default)
    yield KeySection(title, entries)
    yield from inner


def _entry(field: Field[Any], hint: Any, prefix: str, meaning: str, default: object) -> str:
    """The paragraph of one key."""
    key = f"{prefix}{field.name}"
    told = "required" if default is MISSING else f"default {_text(default)}"
    if "default" in field.metadata:  # it depends on another key
        told = f"default {field.metadata['default']}"
    bounds = RANGES.get(key)
    within = "" if bounds is None else f" {'' if bounds.above else 'in '}{bounds}"
    text = f"{meaning} ({wanted(field.metadata.get('wanted', hint), within)}; {told})"
    filled = textwrap.fill(text, WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return f"  --{key}\n{filled}"


def _text(default: object) -> str:
    value = list(default) if isinstance(default, tuple) else default
    if isinstance(value, str):
        value = str(value)  # plain str: YAML does not know the subclass
    text: str = yaml.safe_dump(value, default_flow_style=True)
    return text.removesuffix("\n").removesuffix("\n...")


def _meanings(kind: type[Any]) -> Iterator[tuple[str, str]]:
    """The meanings of the fields from the docstrings, those of a parent class first."""
    for part in reversed(kind.__mro__):
        for name, meaning in re.findall(ENTRY, inspect.getdoc(part) or "", re.MULTILINE):
            yield name, " ".join(meaning.split())
