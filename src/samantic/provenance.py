"""What stored files were made from, so that no file is used for other inputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from PIL.PngImagePlugin import PngInfo

from samantic.errors import InputError
from samantic.files import read_json, write_json

INPUTS = "inputs.json"
"""File that records what the files beside it were made from."""

MARK = b"samantic"
"""Keyword of the PNG text with the digest of what a prediction was made from."""

_PNG = b"\x89PNG\r\n\x1a\n"


def digest(value: Any) -> str:
    """SHA-256 of a value as JSON has it, 16 hexadecimal digits."""
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, 16 hexadecimal digits.

    Raises:
        InputError: The path cannot be read, or is no file.
    """
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: not a file; remove it")
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give a file that can be read") from None


def files_digest(paths: Iterable[Path | None], *others: str) -> str:
    """Digest of the contents of files, some of which may be missing (None), and other texts."""
    return digest([*(None if path is None else file_digest(path) for path in paths), *others])


def check_folder(out: Path, made: Mapping[str, Any], what: str, results: Sequence[str]) -> None:
    """Refuse to overwrite results of other inputs; `write_inputs` later records the inputs.

    Args:
        out: The folder.
        made: What the results are made from, by a name that a user understands.
        what: Name of the results.
        results: Names of files that would be overwritten.

    Raises:
        InputError: The folder holds results that were made from something else, or from unknown
            inputs.
    """
    now = json.loads(json.dumps(made))
    if (out / INPUTS).exists():
        before = read_json(out / INPUTS)
        if not isinstance(before, dict):
            before = {}
        for key in [*now, *before]:
            if before.get(key) != now.get(key):
                raise InputError(
                    f"{out}: holds {what} made from other inputs ({key} {_word(before.get(key))}, "
                    f"now {_word(now.get(key))}); give another --out, or remove this folder"
                )
    elif found := [name for name in results if (out / name).exists()]:
        raise InputError(
            f"{out}: holds {found[0]}, and no {INPUTS} says what it was made from; give another "
            "--out"
        )


def write_inputs(out: Path, made: Mapping[str, Any]) -> None:
    """Record in a folder what its results are made from, before they are written."""
    write_json(out / INPUTS, made)


def _word(value: object) -> str:
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value)


def mark_png(made_from: str) -> PngInfo:
    """Metadata for saving a PNG, which `png_mark` finds; image and mark are written together."""
    info = PngInfo()
    info.add_text(MARK.decode(), made_from)
    return info


def png_mark(path: Path, keyword: bytes = MARK) -> str | None:
    """The digest of what a PNG was made from, or another of its texts.

    Returns:
        Its mark; "" if there is no file, or one that ends before its first pixel; None for a
        complete file without a mark.
    """
    try:
        with path.open("rb") as file:
            return _find_text(file, keyword)
    except FileNotFoundError:
        return ""


def _find_text(file: BinaryIO, wanted: bytes) -> str | None:
    start = file.read(len(_PNG))
    if start != _PNG:
        return "" if _PNG.startswith(start) else None
    while len(head := file.read(8)) == 8 and head[4:] != b"IDAT":
        length = int.from_bytes(head[:4], "big")
        if head[4:] == b"tEXt" and length < 1024:
            keyword, _, text = file.read(length).partition(b"\0")
            if keyword == wanted:
                return text.decode("latin-1")
            file.seek(4, 1)
        else:
            file.seek(length + 4, 1)
    return "" if len(head) < 8 else None
