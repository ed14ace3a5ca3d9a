"""A lock for a run folder: one training at a time."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from lightning.fabric.utilities.rank_zero import rank_zero_only

from samantic.errors import InputError
from samantic.files import is_alive, remove_leftovers, why_not_into
from samantic.spelling import option

LOCK = ".lock"
BEAT, STALE = 20.0, 120.0
"""Seconds between two updates of a lock, and the age from which a lock of another machine is
ignored. Process ids are valid on one machine only, so another machine's lock is judged by age."""


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Keep other trainings out of a run folder, and remove temporary files that killed ones left.

    In a distributed training, the first process holds the lock for all.

    Raises:
        InputError: Another training is running there, or nothing can be written there.
    """
    if getattr(rank_zero_only, "rank", 0):
        yield
        return
    if why := why_not_into(out):
        raise InputError(f"{why}; give another {option('out')}")
    new = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    path, ours = out / LOCK, _process()
    _take(path, ours)
    ended = threading.Event()
    threading.Thread(target=_beat, args=(path, ended), daemon=True).start()
    try:
        remove_leftovers(out)
        yield
    finally:
        ended.set()
        with _opened(path) as file:
            if _read(file) == ours:
                path.unlink()
        if new:
            with suppress(OSError):  # the folder is not empty
                out.rmdir()


def _take(path: Path, ours: dict[str, Any]) -> None:
    """Write this process into a lock.

    Raises:
        InputError: The lock belongs to another running process.
    """
    with _opened(path) as file:
        owner = _read(file)
        if owner is not None and _lives(owner, path):
            raise InputError(
                f"{path.parent}: process {owner['process']} on {owner['machine']} is training "
                "there; give another --out, or end that one first"
            )
        file.seek(0)
        file.truncate()
        json.dump(ours, file)


@contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    """The open lock file, created if it is missing; no other process opens it at the same time."""
    while True:
        with path.open("a+", encoding="utf-8") as file:
            with suppress(OSError):  # a file system without locks: two processes rarely meet here
                fcntl.flock(file, fcntl.LOCK_EX)
            there = path.exists() and path.stat().st_ino == os.fstat(file.fileno()).st_ino
            if there:  # and the file was not removed in the meantime
                yield file
                return


def _read(file: IO[str]) -> dict[str, Any] | None:
    """The process in a lock; None if there is none."""
    file.seek(0)
    try:
        owner = json.load(file)
    except ValueError:
        return None
    return owner if isinstance(owner, dict) and {"process", "machine"} <= owner.keys() else None


def _process() -> dict[str, Any]:
    """This process; its start time distinguishes it from a later process with the same id."""
    number = os.getpid()
    return {"process": number, "machine": socket.gethostname(), "start": _start(number)}


def _start(process: int) -> str | None:
    """The start time of a process, as Linux writes it; None if it is unknown."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        return None


def _lives(owner: dict[str, Any], path: Path) -> bool:
    """Whether the process in a lock is still running."""
    if owner["machine"] != socket.gethostname():
        return time.time() - path.stat().st_mtime < STALE
    process = int(owner["process"])
    return is_alive(process) and _start(process) == owner.get("start")


def _beat(path: Path, ended: threading.Event) -> None:
    """Update the lock at intervals until `ended` is set."""
    while not ended.wait(BEAT):
        with suppress(OSError):
            os.utime(path)
