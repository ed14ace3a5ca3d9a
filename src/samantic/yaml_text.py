"""YAML in bounds: no deep nesting, no aliases that grow, no key twice, no content in an error."""

from __future__ import annotations

import re
from typing import Any

import yaml

DEPTH = 50
"""Levels of lists and mappings that are read."""

NODES = 100_000
"""Values that are read, those of an alias as often as it is used."""

OWN_KEY = re.compile(r"[a-z_]{1,30}")
"""Keys that an error may tell, since they look like those of a configuration."""


def parse_yaml(text: str) -> Any:
    """What a YAML text says.

    Raises:
        ValueError: It is no YAML, or too large, or gives a key twice; the line tells where, and
            nothing of what stands there.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506  # a SafeLoader
    except yaml.MarkedYAMLError as error:
        raise ValueError(_place(error.problem_mark) + _reason(str(error.problem))) from None
    except yaml.reader.ReaderError as error:
        raise ValueError(f"a character that no text holds, at place {error.position}") from None
    except yaml.YAMLError:
        raise ValueError("it cannot be read") from None
    except (ValueError, OverflowError):  # a date or a number
        raise ValueError("a number or a date in it cannot be read") from None


def _place(mark: Any) -> str:
    return "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "


def _reason(problem: str) -> str:
    """Why, without the content that YAML's own words hold."""
    if "constructor for the tag" in problem:
        return "a tag (!) is not read"
    return re.sub(r"'[^<']*'|\"[^\"]*\"", "...", problem)


class _Refused(yaml.MarkedYAMLError):
    """A text that YAML allows, and that is not read."""

    def __init__(self, reason: str, mark: Any) -> None:
        super().__init__(problem=reason, problem_mark=mark)


class _Loader(yaml.SafeLoader):
    """Counts what aliases would make of a text before anything is made."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = self.nodes = 0
        self.sizes: dict[int, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        mark: Any = self.peek_event()  # type: ignore[no-untyped-call]
        before, alias = self.nodes, isinstance(mark, yaml.AliasEvent)
        self.depth += 1
        if self.depth > DEPTH:
            raise _Refused(f"more than {DEPTH} levels", mark.start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        if alias and id(node) not in self.sizes:
            raise _Refused("an alias (*) within what it stands for", mark.start_mark)
        self.nodes += self.sizes[id(node)] if alias else 1
        if self.nodes > NODES:
            raise _Refused(f"more than {NODES} values, perhaps by aliases (*)", mark.start_mark)
        if not alias:
            self.sizes[id(node)] = self.nodes - before
        return node

    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    name = key.value if OWN_KEY.fullmatch(key.value) else "a key"
                    raise _Refused(f"{name} is given twice; keep one", key.start_mark)
                seen.add((key.tag, key.value))
        return node
