"""The memory that one answer needs, measured in a new process.

    python -m samantic.benchmark.memory ENTRY

ENTRY is an `Entry` as JSON. A process with earlier computations would report their memory too.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from samantic.benchmark.entry import Entry
from samantic.errors import InputError

STATUS = Path("/proc/self/status")


def peak_memory(entry: Entry) -> int | None:
    """Peak memory in bytes of a new process that opens a model and answers.

    On a GPU it is the GPU's memory. None if the system does not report it.

    Raises:
        InputError: The process failed.
    """
    command = [sys.executable, "-m", __name__, json.dumps(entry)]  # a fixed command
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise InputError(f"{entry.place}: failed in a process of its own, {reason}")
    found: int | None = json.loads(done.stdout.splitlines()[-1])
    return found


def _answer(entry: Entry) -> int | None:
    """Open a model, answer twice, and return the peak memory in bytes."""
    call = _file(entry) if entry.kind == "file" else _torch(entry)
    for _ in range(2):
        call()
    if entry.device.startswith("cuda") and entry.kind != "file":
        import torch

        return torch.cuda.max_memory_allocated(entry.device)
    told = re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text()) if STATUS.is_file() else None
    return None if told is None else 1024 * int(told[1])


def _file(entry: Entry) -> Callable[[], object]:
    """Open an exported file, as a robot without torch does."""
    import numpy as np

    from samantic.runtime.exported import ExportedModel

    backend = ExportedModel(entry.place, entry.threads).backend
    inputs = {
        name: np.ones((entry.batch, *shape[1:]), kind)
        for name, (shape, kind) in backend.inputs.items()
    }
    return lambda: backend.run(inputs, ("labels", "confidence"))


def _torch(entry: Entry) -> Callable[[], object]:
    import torch

    from samantic.benchmark.contenders import opened

    torch.set_num_threads(entry.threads)
    return opened(entry).call


if __name__ == "__main__":
    kind, place, precision, size, *others = json.loads(sys.argv[1])
    print(json.dumps(_answer(Entry(kind, place, precision, tuple(size), *others))))
