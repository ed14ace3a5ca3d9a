"""Write the API reference: a Markdown page for each public module, from its docstrings.

python -m tools.reference docs/reference
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
from collections.abc import Iterator
from functools import cached_property
from importlib import import_module
from pathlib import Path

MODULES = (
    "samantic",
    "samantic.models",
    "samantic.losses",
    "samantic.metrics",
    "samantic.data",
    "samantic.config",
)
SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises", "Example", "Examples", "Shape")


def public_names(module: str) -> list[str]:
    """Public names of a module: its `__all__`, or its own functions and classes."""
    loaded = import_module(module)
    if hasattr(loaded, "__all__"):
        return sorted(loaded.__all__)
    return sorted(
        name
        for name, value in vars(loaded).items()
        if (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == module
        and not name.startswith("_")
    )


def page(module: str) -> str:
    """The Markdown page of one module."""
    loaded = import_module(module)
    parts = [f"# {module}", markdown(inspect.getdoc(loaded) or "")]
    for name in public_names(module):
        parts += [f"## {name}", *entry(f"{module}.{name}", getattr(loaded, name))]
    return "\n\n".join(part for part in parts if part) + "\n"


def entry(name: str, value: object) -> Iterator[str]:
    """A public name's signature, description and, for a class, its public methods."""
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        yield f"A constant of type `{type(value).__name__}`."
        return
    yield f"```python\n{signature(name, value)}\n```"
    yield markdown(described(value))
    for key, part in members(value).items() if inspect.isclass(value) else ():
        if not (inspect.isfunction(part) or isinstance(part, property | cached_property)):
            continue
        if part.__doc__:
            yield f"### {name.rpartition('.')[2]}.{key}"
            if inspect.isfunction(part):
                yield f"```python\n{signature(key, part)}\n```"
            yield markdown(inspect.cleandoc(part.__doc__))


def members(value: type[object]) -> dict[str, object]:
    """Public members of a class by name: its own, and those of base classes that no page shows."""
    public = [getattr(import_module(module), n) for module in MODULES for n in public_names(module)]
    found: dict[str, object] = {}
    for base in reversed(value.__mro__):
        hidden = base.__module__.startswith("samantic.") and base not in public
        if base is value or (hidden and base.__name__ != "Options"):  # its checks are not public
            found |= {k: v for k, v in vars(base).items() if k == "__call__" or k[0] != "_"}
    return found


def described(value: object) -> str:
    """A docstring and, for a configuration, its keys with their help."""
    lines = [inspect.getdoc(value) or ""]
    for field in dataclasses.fields(value) if dataclasses.is_dataclass(value) else ():
        if help_text := field.metadata.get("help"):
            lines.append(f"- `{field.name}`: {help_text}")
    return "\n".join([lines[0], "", *lines[1:]]) if lines[1:] else lines[0]


def signature(name: str, value: object) -> str:
    """A call with its parameters, one a line if one line is too short, and its result."""
    words = parameters(value)
    result = "" if inspect.isclass(value) else f" -> {returned(value)}"
    line = f"{name}({', '.join(words)}){result}"
    return line if len(line) <= 88 else f"{name}(\n    " + ",\n    ".join(words) + f",\n){result}"


def returned(value: object) -> str:
    """The type of a function's result."""
    return str(inspect.signature(value).return_annotation)  # type: ignore[arg-type]


def parameters(value: object) -> list[str]:
    """The parameters of a function or a class with their types and defaults."""
    words, keyword_only = [], False
    if inspect.isclass(value) and issubclass(value, Exception):
        return ["message: str"]
    for key, part in inspect.signature(value).parameters.items():  # type: ignore[arg-type]
        if key == "self":
            continue
        if part.kind is part.KEYWORD_ONLY and not keyword_only:
            keyword_only = True
            words.append("*")
        text = {part.VAR_POSITIONAL: "*", part.VAR_KEYWORD: "**"}.get(part.kind, "") + key
        if part.annotation is not part.empty:
            text += f": {part.annotation}"
        if part.default is not part.empty:
            text += f" = {part.default!r}"
        words.append(text)
    return words


def markdown(docstring: str) -> str:
    """A Google docstring as Markdown: its sections become bold words and lists."""
    blocks, section = [], ""
    for line in docstring.splitlines():
        if re.fullmatch(rf"({'|'.join(SECTIONS)}):", line):
            section = line[:-1]
            blocks.append(f"\n**{section}**\n")
            if section.startswith("Example"):
                blocks.append("```pycon")
            continue
        if section and line and not line.startswith(" "):
            blocks += ["```", ""] if section.startswith("Example") else [""]
            section = ""
        item = re.match(r"    ([*\w, ]+|[\w.]+): (.*)", line)
        if section in ("Args", "Attributes", "Raises") and item:
            blocks.append(f"- `{item[1]}`: {item[2]}")
        elif section:
            blocks.append(line[4:] if section not in ("Args", "Attributes", "Raises") else line[2:])
        else:
            blocks.append(line)
    if section.startswith("Example"):
        blocks.append("```")
    return "\n".join(blocks).strip()


def main(out: Path) -> None:
    """Write all pages."""
    out.mkdir(parents=True, exist_ok=True)
    for module in MODULES:
        (out / f"{module}.md").write_text(page(module))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
