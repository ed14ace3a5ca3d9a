"""The input of a job: folders and patterns of images, manifests, WebDataset shards."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple

import pyarrow as pa

from samantic.cluster.identity import key_of, name_problem
from samantic.cluster.manifests import MANIFESTS, check_columns, manifest_rows
from samantic.cluster.patterns import Pattern, expanded, image_pattern, split_uri
from samantic.cluster.storage import Place, files_below, is_there, open_place
from samantic.cluster.tars import tar_rows
from samantic.data.folders import is_image
from samantic.data.pairing import partners
from samantic.errors import InputError

Row = dict[str, Any]
"""A pair: its name, and `rgb` and `thermal` as paths or `rgb_bytes` and `thermal_bytes`; or
`error`, the reason why it cannot be read."""

SCHEMA = pa.schema(
    [
        ("key", pa.uint64()),
        ("name", pa.string()),
        ("rgb", pa.string()),
        ("thermal", pa.string()),
        ("rgb_bytes", pa.large_binary()),
        ("thermal_bytes", pa.large_binary()),
        ("error", pa.string()),
        ("there", pa.bool_()),
    ]
)
"""Schema of tables that go from reading to decoding. `there`: the pair has labels already."""


class Source(NamedTuple):
    """An opened input.

    Attributes:
        kind: Kind of its parts.
        base: The folder to which paths are relative.
        parts: Files, each read by one task; for images the listing is the only part.
        sizes: Bytes of the parts.
        pattern: For images: which files belong to which camera.
    """

    kind: Literal["images", "manifest", "shards"]
    base: Place
    parts: list[str]
    sizes: list[int]
    pattern: Pattern | None = None


def open_source(uri: str) -> Source:
    """Find the parts of an input.

    Args:
        uri: A folder that contains folders `rgb` and `thermal` at any depth, a pattern of images,
            `*.tar`, `*.parquet` or `*.csv`.

    Raises:
        InputError: There is nothing, or a manifest lacks its columns.
    """
    whole = "://" not in uri and Path(uri).expanduser().exists()
    start, pattern = (uri, "") if whole else split_uri(uri)
    ending = PurePosixPath(pattern or start.partition("?")[0]).suffix
    if ending not in (*MANIFESTS, ".tar"):
        base = open_place(start, "--input")
        _check_folder(base)
        return Source("images", base, [base.path], [0], image_pattern(pattern))
    base, paths, sizes = _files(start, pattern)
    if not paths:
        raise InputError(f"--input: {uri.partition('?')[0]}: no such file; correct the path")
    if ending == ".tar":
        return Source("shards", base, paths, sizes)
    for path in paths[:1]:
        check_columns(base.beside(path))
    return Source("manifest", base, paths, sizes)


def _check_folder(base: Place) -> None:
    from pyarrow.fs import FileType

    kind = base.files.get_file_info(base.path).type
    if kind == FileType.File:
        raise InputError(
            f"--input: {base.shown}: neither a folder, nor a file that ends in .parquet, .csv or "
            ".tar"
        )
    if kind == FileType.NotFound:
        raise InputError(f"--input: {base.shown}: no such folder; correct the path")


def _files(start: str, pattern: str) -> tuple[Place, list[str], list[int]]:
    """The folder, its files that match a pattern (or one file), and their sizes in bytes."""
    place = open_place(start, "--input")
    if not pattern:
        folder, _, _ = place.path.rpartition("/")
        info = place.files.get_file_info(place.path)
        there = is_there(place)
        return place.beside(folder), [place.path] * there, [info.size or 0] * there
    wanted = expanded(pattern)
    found = sorted(
        (path, size)
        for path, size in files_below(place)
        if any(expression.fullmatch(path) for expression in wanted)
    )
    return place, [place.at(path).path for path, _ in found], [size for _, size in found]


def rows_of(source: Source, part: str) -> Iterator[Row]:
    """The pairs of a part, each with a name.

    Raises:
        InputError: The part cannot be read.
    """
    place = source.base.beside(part)
    if source.kind == "images":
        assert source.pattern is not None  # noqa: S101  # images have one
        return _listed(place, source.pattern)
    return tar_rows(place) if source.kind == "shards" else manifest_rows(place)


def tables_of(rows: Iterable[Row], block: int) -> Iterator[pa.Table]:
    """Rows as tables of `SCHEMA` with at most `block` rows, with keys and checked names."""
    kept: list[Row] = []
    for row in rows:
        problem = name_problem(row["name"])
        if problem and not row.get("error"):
            row = {"name": row["name"], "error": f"the name {row['name'][:80]!r} {problem}"}
        kept.append({**row, "key": key_of(row["name"]), "there": False})
        if len(kept) == block:
            yield pa.Table.from_pylist(kept, schema=SCHEMA)
            kept = []
    if kept:
        yield pa.Table.from_pylist(kept, schema=SCHEMA)


def _listed(base: Place, pattern: Pattern) -> Iterator[Row]:
    """The pairs of images below a folder, by name.

    If there are images of both cameras, a pair without a partner becomes an error row.
    """
    found: dict[str, defaultdict[str, dict[str, str]]] = {
        sensor: defaultdict(dict) for sensor in ("rgb", "thermal")
    }
    for path, _ in sorted(files_below(base)):
        named = pattern.name(path) if is_image(Path(path)) else None
        if named is not None:
            folder, _, stem = named[1].rpartition("/")
            found[named[0]][folder][stem] = path
    if not found["rgb"] and not found["thermal"]:
        raise InputError(
            f"--input: {base.shown}: no images in folders rgb and thermal; give a pattern such as "
            "'FOLDER/{rgb,thermal}/*.png', or a manifest"
        )
    both = bool(found["rgb"] and found["thermal"])
    for folder in sorted({*found["rgb"], *found["thermal"]}):
        colour, heat = found["rgb"][folder], found["thermal"][folder]
        names = partners(colour, heat, ("rgb", "thermal"))
        heat = {names.get(stem, stem): path for stem, path in heat.items()}
        for stem in sorted({*colour, *heat}):
            row: Row = {"rgb": colour.get(stem), "thermal": heat.get(stem)}
            if both and None in row.values():
                there = row["rgb"] or row["thermal"]
                row = {"error": f"{base.at(there).shown}: has no partner; add it"}
            yield {"name": f"{folder}/{stem}".lstrip("/"), **row}
