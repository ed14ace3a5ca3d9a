"""The text of `--help` that lists every key of a configuration."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import MISSING, fields
from typing import Any

import yaml

from samantic.config.options import RANGES, arms, hints, wanted
from samantic.config.values import merged

WIDTH = 96
"""Columns of the text."""

ENTRY = r"^ {4}(\w+): (.*(?:\n {8}.*)*)"
"""A field and its meaning in the Args of a docstring."""


def config_help(kind: type[Any], defaults: dict[str, Any]) -> str:
    """Every key, its meaning, what it may hold and its default, a paragraph each.

    Args:
        kind: The configuration.
        defaults: Defaults by key where they are other than the dataclass's.
    """
    return "\n".join(_section(kind, "", merged({}, defaults)))


def _section(
    kind: type[Any], prefix: str, defaults: dict[str, Any], tag: str = ""
) -> Iterator[str]:
    if prefix:
        title = str(kind.__doc__).split("\n\n")[0]
        yield f"\n{prefix.removesuffix('.')}{tag}: {' '.join(title.split())}"
    meanings = dict(_meanings(kind))
    for field in fields(kind):
        name, hint = field.name, hints(kind)[field.name]
        for arm in arms(hint):
            tag = f", network {arm.network}" if len(arms(hint)) > 1 else ""
            yield from _section(arm, f"{prefix}{name}.", defaults.get(name, {}), tag)
        if arms(hint):
            continue
        key = f"{prefix}{name}"
        default = defaults.get(name, field.default)
        told = "required" if default is MISSING else f"default {_text(default)}"
        if "default" in field.metadata:  # it depends on another key
            told = f"default {field.metadata['default']}"
        hint = field.metadata.get("wanted", hint)
        bounds = RANGES.get(key)
        within = "" if bounds is None else f" {'' if bounds.above else 'in '}{bounds}"
        yield f"  --{key}"
        text = f"{meanings[name]} ({wanted(hint, within)}; {told})"
        yield textwrap.fill(text, WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)


def _text(default: object) -> str:
    value = list(default) if isinstance(default, tuple) else default
    text: str = yaml.safe_dump(value, default_flow_style=True)
    return text.removesuffix("\n").removesuffix("\n...")


def _meanings(kind: type[Any]) -> Iterator[tuple[str, str]]:
    """What docstrings say of the fields, those of a parent first."""
    for part in reversed(kind.__mro__):
        for name, meaning in re.findall(ENTRY, inspect.getdoc(part) or "", re.MULTILINE):
            yield name, " ".join(meaning.split())
