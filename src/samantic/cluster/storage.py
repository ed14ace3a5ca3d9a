"""Files on disks and in object stores, through pyarrow: complete or absent, and written once."""

from __future__ import annotations

import errno
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from pyarrow import ArrowException
from pyarrow.fs import FileSelector, FileSystem, FileType, LocalFileSystem

from samantic.errors import InputError

STORES = ("s3", "gcs", "abfs")
"""File systems in which a file appears only when its write is complete."""

SAFE = "/:@%+=&$,;~!()'*"
"""Characters of a URI, besides letters and digits, that are not escaped."""

NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)
"""Error numbers of disks that support no hard links."""


class Place(NamedTuple):
    """A file or folder of a file system.

    Attributes:
        files: The file system; it can be sent to other processes.
        path: The path in the file system.
        shown: Its name in messages, without the options of a URI, which may be secret.
    """

    files: FileSystem
    path: str
    shown: str

    def at(self, *parts: str) -> Place:
        """A path below this one."""
        below = "/".join(parts)
        return Place(self.files, f"{self.path}/{below}", f"{self.shown}/{below}")

    def beside(self, path: str) -> Place:
        """Another path of the same file system."""
        start = self.shown.removesuffix(self.path)
        return Place(self.files, path, f"{start}{path}")

    @property
    def is_local(self) -> bool:
        """Whether the path is on a disk of this machine."""
        return isinstance(self.files, LocalFileSystem)


def open_place(uri: str, option: str) -> Place:
    """Open a path, or a URI such as s3://bucket/folder?region=eu-west-1.

    Args:
        uri: The path or URI. Options of the file system follow `?`, see pyarrow.fs.
        option: The option that gave it, for the error.

    Raises:
        InputError: There is no such file system here.
    """
    if "://" not in uri:
        path = Path(uri).expanduser().absolute().as_posix()
        return Place(LocalFileSystem(), path, path)
    body, mark, options = uri.partition("?")
    scheme, _, rest = body.partition("://")
    machine, _, below = rest.rpartition("@")[2].partition("/")  # secrets may precede the @
    try:
        files, path = FileSystem.from_uri(f"{quote(body, safe=SAFE)}{mark}{options}")
    except (ArrowException, OSError, ValueError) as error:
        why = re.sub(r"://[^/@]*@", "://", str(error).splitlines()[0])
        shown = f"{scheme}://{machine}/{below}".rstrip("/")
        raise InputError(
            f"{option}: {shown}: {why}; give a path, or a URI that pyarrow reads, such as s3://, "
            "gs:// or hdfs://"
        ) from None
    path = path.rstrip("/")
    if isinstance(files, LocalFileSystem):
        return Place(files, path, path)
    return Place(files, path, f"{scheme}://{path if files.type_name in STORES else machine + path}")


def read_bytes(place: Place) -> bytes:
    """The content of a file.

    Raises:
        InputError: The file is missing, or cannot be read.
    """
    try:
        with place.files.open_input_stream(place.path, compression=None) as stream:
            content: bytes = stream.read()
    except FileNotFoundError:
        raise InputError(f"{place.shown}: no such file") from None
    except (OSError, ArrowException) as error:
        why = str(error).splitlines()[0]
        raise InputError(f"{place.shown}: cannot be read ({why})") from None
    return content


def is_there(place: Place) -> bool:
    """Whether a file exists; this is one request to an object store."""
    if place.is_local:
        return os.path.isfile(place.path)  # noqa: PTH113  # called for every pair, so it must be fast
    try:
        place.files.open_input_file(place.path).close()
    except FileNotFoundError:
        return False
    return True


def put_new(place: Place, content: bytes) -> bool:
    """Write a file that is complete or absent, unless it exists.

    On a disk, a temporary file is linked to the name. The link fails if the name is taken, so one
    of two writers wins. pyarrow has no conditional request to an object store: the name is looked
    up first. Two writers at the same moment both write, and they write the same bytes.

    Returns:
        Whether the file was written.
    """
    if place.is_local:
        return _put_local(Path(place.path), content)
    if is_there(place):
        return False
    put(place, content)
    return True


@contextmanager
def stream_to(place: Place) -> Iterator[Any]:
    """A stream whose content replaces or creates a file at the end of the block."""
    store = place.files.type_name in STORES
    folder, _, name = place.path.rpartition("/")
    temporary = place.path if store else f"{folder}/.{name}.{uuid.uuid4().hex}"
    if not store:
        place.files.create_dir(folder, recursive=True)
    with place.files.open_output_stream(temporary) as stream:
        yield stream
    if not store:
        place.files.move(temporary, place.path)


def put(place: Place, content: bytes) -> None:
    """Write a file that is complete or absent; an existing file is replaced."""
    with stream_to(place) as stream:
        stream.write(content)


def _put_local(path: Path, content: bytes) -> bool:
    """`put_new` on a disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        temporary.write_bytes(content)
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return True


def files_below(place: Place) -> Iterator[tuple[str, int]]:
    """Files below a folder: their relative paths and their bytes; nothing for a missing folder.

    Files on a disk are listed one by one. An object store is listed at once, with 0.5 kB of memory
    for each file. Temporary files of processes that were killed are removed.
    """
    start = len(place.path) + 1
    for path, size in _on_disk(place.path) if place.is_local else _in_store(place):
        if is_temporary(path.rpartition("/")[2]):
            place.files.delete_file(path)
        else:
            yield path[start:], size


def _on_disk(folder: str) -> Iterator[tuple[str, int]]:
    """All files below a folder on a disk, and their bytes."""
    folders = [folder]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir():
                        folders.append(entry.path)
                    elif entry.is_file():
                        yield entry.path, entry.stat().st_size
        except FileNotFoundError:
            continue  # another process has removed it


def _in_store(place: Place) -> Iterator[tuple[str, int]]:
    """All files below a folder of another file system, and their bytes."""
    selector = FileSelector(place.path, allow_not_found=True, recursive=True)
    for info in place.files.get_file_info(selector):
        if info.type == FileType.File:
            yield info.path, info.size


def is_temporary(name: str) -> bool:
    """Whether a file name is one of the temporary names of `put` and `put_new`."""
    return name.startswith(".") and len(name.rpartition(".")[2]) == 32
