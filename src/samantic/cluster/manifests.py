"""Lists of pairs: CSV or Parquet with the columns rgb and thermal, and optionally name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
from pyarrow import csv, parquet

from samantic.cluster.storage import Place
from samantic.errors import InputError

MANIFESTS = (".csv", ".parquet")

COLUMNS = ("name", "rgb", "thermal")
"""Columns that are read; others are skipped."""

ROWS = 1024
"""Number of Parquet rows that are read at a time."""


def check_columns(place: Place) -> None:
    """Refuse a manifest without columns for images.

    Raises:
        InputError: The columns are missing, or the manifest cannot be read.
    """
    names = next(_tables(place, first=True)).column_names
    if not {"rgb", "thermal"} & set(names):
        there = ", ".join(names[:8]) or "none"
        raise InputError(
            f"{place.shown}: has the columns {there}; a manifest has rgb, thermal or both, and "
            "optionally name"
        )


def manifest_rows(place: Place) -> Iterator[dict[str, Any]]:
    """The pairs of a manifest; a pair without a name gets the path of its image as its name.

    Raises:
        InputError: The manifest cannot be read.
    """
    number = 0
    for table in _tables(place):
        kept = table.select([name for name in COLUMNS if name in table.column_names])
        for row in kept.to_pylist():
            number += 1
            found = {name: str(cell) for name, cell in row.items() if cell not in (None, "")}
            images = found.get("rgb") or found.get("thermal")
            if images is None:
                error = f"{place.shown}: row {number} names no image"
                yield {"name": found.get("name", f"row {number}"), "error": error}
            else:
                yield {"rgb": None, "thermal": None, "name": _name(images), **found}


def _name(image: str) -> str:
    """The name of a pair without a name: the path of its image without scheme and ending."""
    path = PurePosixPath(image.partition("://")[2] or image).with_suffix("")
    return path.as_posix().lstrip("/")


def _tables(place: Place, first: bool = False) -> Iterator[pa.Table]:
    """Tables of the rows of a manifest; with `first`, one table with its columns and no rows."""
    try:
        if place.path.endswith(".parquet"):
            with place.files.open_input_file(place.path) as file:
                opened = parquet.ParquetFile(file)
                if first:
                    yield opened.schema_arrow.empty_table()
                    return
                there = [name for name in COLUMNS if name in opened.schema_arrow.names]
                for batch in opened.iter_batches(ROWS, columns=there):
                    yield pa.Table.from_batches([batch])
        else:
            text = csv.ConvertOptions(column_types=dict.fromkeys(COLUMNS, pa.string()))
            with place.files.open_input_stream(place.path) as stream:
                reader = csv.open_csv(stream, convert_options=text)
                if first:
                    yield reader.schema.empty_table()
                    return
                for batch in reader:
                    yield pa.Table.from_batches([batch])
    except FileNotFoundError:
        raise InputError(f"{place.shown}: no such file") from None
    except (OSError, pa.ArrowException) as error:
        why = str(error).splitlines()[0]
        raise InputError(f"{place.shown}: no readable manifest ({why}); write it anew") from None
