"""Files that are either complete or absent: written under a temporary name, then renamed."""

from __future__ import annotations

import json
import math
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from samantic.errors import InputError

MIB = 2**20

UNREADABLE = (
    AttributeError,
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)
"""Exceptions that zipfile and numpy raise for files that are no .npz."""


TEMPORARY = re.compile(r"\..+\.(\d+)(\.\w+)?")
"""Pattern of the temporary files of `replacing`, which contain the id of the writing process."""


def why_not_into(folder: Path) -> str:
    """Why no files can be written into a folder that exists or would be made; empty if they can."""
    there = next((part for part in (folder, *folder.parents) if os.path.lexists(part)), Path())
    if not there.is_dir():
        return f"{there} is no folder"
    return "" if os.access(there, os.W_OK | os.X_OK) else f"{there} may not be written to"


@contextmanager
def replacing(path: Path, *, sync: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it becomes `path`, on failure it vanishes.

    The suffix of `path` is kept, since libraries choose a format by it. Folders are created.

    Args:
        path: The file.
        sync: Whether to wait until the disk has stored it, so that it is complete after a power
            cut.

    Example:
        >>> with replacing(Path("labels.png")) as temporary:
        ...     image.save(temporary)
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        if sync:
            _sync(temporary)
        temporary.replace(path)
        if sync:
            _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Wait until the disk has stored a file, or the names in a folder."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def remove_leftovers(folder: Path) -> list[Path]:
    """Remove the temporary files that killed processes have left in a folder.

    Returns:
        The removed files.
    """
    found = [
        path
        for path in folder.rglob(".*")
        if (match := TEMPORARY.fullmatch(path.name))
        and path.is_file()
        and not is_alive(int(match[1]))
    ]
    for path in found:
        path.unlink(missing_ok=True)
    return found


def is_alive(process: int) -> bool:
    """Whether a process of this machine is running."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # a process of another user
        return True
    return True


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON atomically; NaN is refused, since JSON has none."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_tensors(path: Path, tensors: dict[str, Any], metadata: dict[str, str]) -> None:
    """Write safetensors atomically.

    Raises:
        OSError: The disk is full.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    with replacing(path, sync=True) as temporary:
        try:
            save_file(tensors, temporary, metadata)
        except SafetensorError as error:  # its error for a full disk
            raise OSError(f"{path}: {error}") from error
        temporary.chmod(0o644)  # safetensors lets only the owner read it


def read_json(path: Path, most: int = 64 * MIB) -> Any:
    """Read JSON.

    Args:
        path: The file.
        most: Largest size in bytes that is read.

    Raises:
        InputError: The file is missing, too large, or is not JSON.
    """
    text = read_text(path, "file", most)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}: {error.msg}"
    except RecursionError:
        place = "nested too deeply"
    except ValueError:  # Python reads no numbers of more than 4300 digits
        place = "a number is too long"
    raise InputError(f"{path}: not valid JSON ({place}); write it anew")


def read_text(path: Path, what: str, most: int = MIB) -> str:
    """Read UTF-8 text, with or without a byte order mark.

    Args:
        path: The file.
        what: What the file should be, for the error.
        most: Largest size in bytes that is read.

    Raises:
        InputError: The file is missing, no regular file, too large or not UTF-8. The message does
            not quote its content.
    """
    try:
        known = path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL in the name
        raise InputError(f"{path}: no such {what}") from None
    if not stat.S_ISREG(known.st_mode):
        raise InputError(f"{path}: no file; give a {what}")
    if known.st_size > most:
        raise InputError(
            f"{path}: {known.st_size / MIB:.1f} MiB; no {what} of more than {most / MIB:g} is read"
        )
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text at byte {error.start}; give a {what}") from None


def read_arrays(path: Path, what: str, names: tuple[str, ...], most: int = 256 * MIB) -> list[Any]:
    """Read arrays of an .npz; nothing in it is unpickled.

    The sizes of the arrays are checked before memory is allocated.

    Args:
        path: The file.
        what: What the file should be, for the error.
        names: Names of the arrays.
        most: Largest size of an array in bytes.

    Raises:
        InputError: The file is missing, no .npz with these arrays, damaged, or an array is too
            large.
    """
    import numpy as np

    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with zipfile.ZipFile(path) as archive:
            for name in names:
                about = archive.getinfo(f"{name}.npy")
                if about.file_size > most:
                    raise ValueError("size")
                with archive.open(about) as file:
                    version = np.lib.format.read_magic(file)
                    read = f"read_array_header_{version[0]}_0"
                    shape, _, kind = getattr(np.lib.format, read)(file)
                    if math.prod(shape) * kind.itemsize > most or min(shape, default=0) < 0:
                        raise ValueError("shape")
            with np.load(path, allow_pickle=False) as arrays:
                return [arrays[name] for name in names]
    except UNREADABLE:
        raise InputError(
            f"{path}: not a {what}; it needs `{'` and `'.join(names)}` as an .npz file, of up to "
            f"{most // MIB} MiB each"
        ) from None


def holds_json(path: Path, value: Any) -> bool:
    """Whether a file holds the JSON of a value; `write_json` turns tuples into lists.

    Raises:
        InputError: The file is not JSON.
    """
    return path.exists() and read_json(path) == json.loads(json.dumps(value))


def read_yaml(path: Path, what: str) -> Any:
    """Read YAML.

    Args:
        path: The file.
        what: What the file should be, for the error.

    Raises:
        InputError: The file is missing, too large, is not YAML, or gives a key twice.
    """
    from samantic.yaml_text import parse_yaml  # PyYAML, which exported models do not need

    try:
        return parse_yaml(read_text(path, what))
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{path}: not valid YAML ({error})") from None
