"""Ablation tables: their rows, the keys that they change, and the published figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samantic.errors import InputError
from samantic.files import read_yaml


@dataclass(frozen=True)
class Row:
    """One setting.

    Attributes:
        name: Its name in the table.
        changes: Values by configuration key, such as {"loss.language": 0}.
        published: Figures of the paper by column, in per cent.
    """

    name: str
    changes: dict[str, Any]
    published: dict[str, float]


@dataclass(frozen=True)
class Table:
    """Rows that are compared with the first of them.

    Attributes:
        name: File stem.
        title: What is compared.
        note: A note for the reader.
        rows: The settings; the first one is the reference.
        robustness: Whether each model is also measured without RGB and without thermal.
    """

    name: str
    title: str
    note: str
    rows: tuple[Row, ...]
    robustness: bool = False


def _row_name(name: object, path: Path) -> str:
    """A row's name as text; YAML reads no and yes as truth values, 4 as a number."""
    if not isinstance(name, str) or not name.strip():
        raise InputError(f'{path}: a row is named {name!r}, no text; quote its name, e.g. "no"')
    return name


def read_table(path: Path) -> Table:
    """Read a table's YAML.

    It has `title`, `rows` and optionally `note` and `robustness`. A row has `set`, with
    configuration keys and their values, and optionally `published`, with columns and their numbers.

    Raises:
        InputError: The file is missing or is no table.
    """
    values = read_yaml(path, "table")
    try:
        rows = [
            Row(_row_name(name, path), dict(row.get("set") or {}), dict(row.get("published") or {}))
            for name, row in values["rows"].items()
            if not row.keys() - {"set", "published"}
        ]
        table = Table(
            path.stem,
            values["title"],
            " ".join(values.get("note", "").split()),
            tuple(rows),
            bool(values.get("robustness", False)),
        )
    except InputError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError):
        raise InputError(
            f"{path}: not a table; it needs `title` and `rows`, with `set` of keys and values"
        ) from None
    if len(rows) < max(2, len(values["rows"])):
        raise InputError(f"{path}: a table needs two rows or more, each with `set` and `published`")
    return table
