"""Commands in processes of their own, which tests signal and kill; their imports are done once."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

from samantic.run.processes import training_processes


def start(words: list[str], log: Path, before: Callable[[], object] | None = None) -> BaseProcess:
    """Start `samantic WORDS` in a process, and a group of processes, of its own.

    Args:
        words: Of the command.
        log: File for what it prints.
        before: Called in the process first; a function of a module.
    """
    process = training_processes().Process(target=_run, args=(words, log, before))
    process.start()
    return process


def _run(words: list[str], log: Path, before: Callable[[], object] | None) -> None:
    os.setsid()
    with log.open("a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    import torch

    from samantic.cli import main

    torch.set_num_threads(1)
    if before is not None:
        before()
    sys.exit(main(words))


def ended(process: BaseProcess, seconds: float = 120) -> int | None:
    """The exit status of a process, which is killed if it does not end in time."""
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise AssertionError(f"still running after {seconds} s")
    return process.exitcode
