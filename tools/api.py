"""The public contract as text: names, signatures, keys and options, in `tests/api.txt`.

python -m tools.api > tests/api.txt
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
from collections.abc import Iterator
from importlib import import_module

from tools.reference import MODULES, members, parameters, public_names, returned

from samantic.cli import build_parser


def call(value: object) -> str:
    """Parameters with their types and defaults, and the result, in one line."""
    result = "" if inspect.isclass(value) else f" -> {returned(value)}"
    return f"({', '.join(parameters(value))}){result}"


def described(name: str, value: object) -> Iterator[str]:
    """Lines of one public name: its signature, and for a class its fields, methods, properties."""
    if not inspect.isclass(value):
        yield f"{name}{call(value)}" if inspect.isfunction(value) else name
        return
    fields = dataclasses.fields(value) if dataclasses.is_dataclass(value) else ()
    tuple_fields = getattr(value, "_fields", ())
    if fields or tuple_fields:
        yield f"class {name}"
        for part in fields:
            yield f"  {part.name}: {part.type}"
        yield from (f"  {part}" for part in tuple_fields)
    else:
        yield f"class {name}{call(value)}"
    for key, part in sorted(members(value).items()):
        if key in tuple_fields or key in {part.name for part in fields}:
            continue
        if inspect.isfunction(part):
            yield f"  {key}{call(part)}"
        elif isinstance(part, classmethod | staticmethod):
            yield f"  {key}{call(part.__func__)}"
        elif isinstance(part, property) or hasattr(part, "attrname"):
            yield f"  {key} (property)"


def options_of(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Arguments and options of every verb, with their defaults."""
    verbs = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    for verb, sub in verbs.choices.items():
        yield f"samantic {verb}"
        for action in sub._actions:
            names = ", ".join(action.option_strings) or action.dest
            default = action.default
            plain = default is None or default is argparse.SUPPRESS or action.required
            yield f"  {names}" + ("" if plain else f" = {default}")


def listing() -> str:
    """The whole contract."""
    lines = []
    for module in MODULES:
        lines.append(f"# {module}")
        for name in public_names(module):
            lines += described(name, getattr(import_module(module), name))
        lines.append("")
    lines += ["# command line", *options_of(build_parser())]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(listing(), end="")
