"""One training at a time in a run folder."""

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
from samantic.files import is_alive, remove_leftovers

LOCK = ".lock"
BEAT, STALE = 20.0, 120.0
"""Seconds between two signs of life in a lock, and after how long without one it counts no more,
where its process belongs to another machine; ids of processes tell on one machine alone."""


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Keep other trainings out of a run folder, and remove what killed ones left there.

    Of a distributed training, the first process locks for all.

    Raises:
        InputError: Another training is at work there.
    """
    if getattr(rank_zero_only, "rank", 0):
        yield
        return
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
            with suppress(OSError):  # holds something
                out.rmdir()


def _take(path: Path, ours: dict[str, Any]) -> None:
    """Write this process into a lock.

    Raises:
        InputError: It is another's that is alive.
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
    """The lock, which no other process opens at the same time; created if there is none."""
    while True:
        with path.open("a+", encoding="utf-8") as file:
            with suppress(OSError):  # a file system without locks; the window is short
                fcntl.flock(file, fcntl.LOCK_EX)
            there = path.exists() and path.stat().st_ino == os.fstat(file.fileno()).st_ino
            if there:  # and not removed in the meantime
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
    """This process; its start tells it from a later one of the same number."""
    number = os.getpid()
    return {"process": number, "machine": socket.gethostname(), "start": _start(number)}


def _start(process: int) -> str | None:
    """The start time of a process, as Linux writes it; None if it is not known."""
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
    """Give signs of life until the end."""
    while not ended.wait(BEAT):
        with suppress(OSError):
            os.utime(path)
