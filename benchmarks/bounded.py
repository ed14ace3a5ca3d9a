"""Run a command within limits of memory and time."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NamedTuple

TOLD = 2000
"""Number of characters of a failed command's output that are kept."""


class Bounds(NamedTuple):
    """Bytes of memory of all processes of a command together, and seconds."""

    memory: float
    seconds: float


def run_bounded(command: list[str], bounds: Bounds, folder: Path) -> dict[str, Any]:
    """Run a command in its own session, which ends with it.

    Returns:
        `status`: done, failed, memory or time; `seconds` of wall time; `peak`: resident bytes of
            its largest process; `output`, and `told`, the end of it, if it failed.
    """
    start, status = time.monotonic(), ""
    with TemporaryFile("w+") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            while True:
                ended, code, usage = os.wait4(process.pid, os.WNOHANG)
                if ended:
                    process.returncode = os.waitstatus_to_exitcode(code)
                    break
                if not status and resident(process.pid) > bounds.memory:
                    status = "memory"
                elif not status and time.monotonic() - start > bounds.seconds:
                    status = "time"
                if status:
                    os.killpg(process.pid, signal.SIGKILL)
                time.sleep(0.5)  # to count the pages of a large process takes a tenth of that
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)
            raise
        output.seek(0)
        text = output.read()
    status = status or ("failed" if process.returncode else "done")
    found = {"status": status, "seconds": time.monotonic() - start, "output": text}
    found["peak"] = 1024 * usage.ru_maxrss
    return found if status == "done" else found | {"told": text[-TOLD:]}


def resident(session: int) -> int:
    """Bytes of all processes of a session, shared pages counted once; 0 without /proc."""
    found = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                shares = (process / "smaps_rollup").read_text()
                found += 1024 * int(re.findall(r"^Pss: +(\d+) kB", shares, re.MULTILINE)[0])
        except (OSError, IndexError):  # the process has ended
            continue
    return found
