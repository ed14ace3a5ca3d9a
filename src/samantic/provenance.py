"""What kept files were made from, so that none is taken for an answer to another question."""

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
"""File beside kept files that says what they were made from."""

MARK = b"samantic"
"""Keyword of the PNG text that says what a prediction was made from."""

_PNG = b"\x89PNG\r\n\x1a\n"


def digest(value: Any) -> str:
    """SHA-256 of a value as JSON has it, 16 hexadecimal digits."""
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, 16 hexadecimal digits.

    Raises:
        InputError: It cannot be read, or is no file.
    """
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: not a file; remove it")
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give a file that can be read") from None


def files_digest(paths: Iterable[Path | None], *others: str) -> str:
    """Digest of the contents of files, of which some may be missing (None), and of other words."""
    return digest([*(None if path is None else file_digest(path) for path in paths), *others])


def check_folder(out: Path, made: Mapping[str, Any], what: str, results: Sequence[str]) -> None:
    """Refuse to write results over others; `write_inputs` says later what they were made from.

    Args:
        out: The folder.
        made: What the results are made from, by a name that a user understands.
        what: What the results are called.
        results: Names of files that would be overwritten.

    Raises:
        InputError: It holds results that were made from something else, or nobody knows from what.
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
    """Say in a folder what its results are made from, before they are written."""
    write_json(out / INPUTS, made)


def _word(value: object) -> str:
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value)


def mark_png(made_from: str) -> PngInfo:
    """What to save a PNG with, for `png_mark` to find: atomic with the picture itself."""
    info = PngInfo()
    info.add_text(MARK.decode(), made_from)
    return info


def png_mark(path: Path, keyword: bytes = MARK) -> str | None:
    """What a PNG says it was made from, or another of its texts.

    Returns:
        Its mark; "" where there is nothing to lose: no file, or one that ends before its first
        pixel; None for a file that was not marked.
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
