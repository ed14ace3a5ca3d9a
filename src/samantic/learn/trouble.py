"""Errors that the machine causes during a training, as one line with the remedy."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

from samantic.config.train import TrainConfig

MEMORY = re.compile(
    r"out of memory|can't allocate memory|not enough memory|cannot allocate memory|bad_alloc|"
    r"failed to allocate memory",  # PyTorch, the system, C++, onnxruntime
    re.IGNORECASE,
)
SHARED = re.compile(
    r"bus error|shared memory|unable to (write to|open|mmap).*torch_", re.IGNORECASE
)
FILES = re.compile(r"too many open files|ancdata", re.IGNORECASE)
KILLED = re.compile(
    r"DataLoader worker.*(killed by signal: (?P<signal>\w+)|exited unexpectedly)", re.S
)
SILENT = re.compile(r"DataLoader timed out after (?P<seconds>\d+)")


def explained(error: BaseException, step: int, options: TrainConfig) -> str | None:
    """A line for an error that the machine has caused; None for any other error.

    Args:
        error: The error that a training has raised.
        step: Number of finished optimiser steps.
        options: The training options.
    """
    text = f"{type(error).__name__}: {error}"
    where = f"after step {step}: "
    if is_memory(error):
        return f"{where}out of memory; {savings(options)}"
    if (silent := SILENT.search(text)) is not None:
        return (
            f"{where}the loading processes gave no batch for {silent['seconds']} s; look whether "
            "the disk of the data answers, free /dev/shm (of a container: --shm-size 2g), raise "
            "`ulimit -n`, or set data.workers 0; --resume goes on"
        )
    if SHARED.search(text):
        return (
            f"{where}the loading processes have no room in /dev/shm; start the container with "
            "--shm-size 2g, or set data.workers 0; --resume goes on"
        )
    if FILES.search(text):
        return f"{where}too many open files; raise `ulimit -n`, or set data.workers 0"
    killed = KILLED.search(text)
    if killed is not None or _broke_a_pipe(error):
        how = (killed and killed["signal"]) or "it left"
        return (
            f"{where}a loading process was killed ({how}), as the system "
            "does where memory is short; lower data.workers; --resume goes on"
        )
    return None


def _broke_a_pipe(error: BaseException) -> bool:
    """Whether a loading process ended while it was sending a batch."""
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    among = any(Path(file).parent.name == "multiprocessing" for file in files)
    return among and isinstance(error, ConnectionError | EOFError)


def is_memory(error: BaseException) -> bool:
    """Whether an error means that the memory of the GPU or of the machine is full."""
    return isinstance(error, MemoryError) or bool(MEMORY.search(f"{type(error).__name__}: {error}"))


WHILE_USING = {
    "train": "the trained model is kept: `samantic evaluate` measures it, with a smaller --size",
    "distill": "the student is kept: `samantic evaluate` measures it, with a smaller --size",
    "evaluate": "give a smaller --size, or leave out --tta and --robustness",
    "predict": "give a smaller --tile or --size, or leave out --tta",
    "export": "give a smaller --size or --batch",
    "benchmark": "give a smaller --size",
}
"""How a verb that uses a model needs less memory; a training has its own line."""


def while_using(verb: str) -> str:
    """The line for full memory in a verb."""
    cure = WHILE_USING.get(verb, "use smaller images")
    return f"out of memory; {cure}, or end other programs that use it"


def savings(options: TrainConfig) -> str:
    """The options that save memory, and how much they save."""
    cures = []
    if options.batch_size > 1:
        half = -(-options.batch_size // 2)
        cures.append(
            f"train.batch_size {half} with train.accumulate {2 * options.accumulate} takes steps "
            "of as many pairs, and halves what grows with the batch"
        )
    if not options.checkpointing:
        cures.append("train.checkpointing true halves what the encoder keeps")
    cures.append("augment.crop of half the area halves them too")
    return "; ".join(cures)
