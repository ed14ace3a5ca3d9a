"""Processes that train."""

from __future__ import annotations

import multiprocessing
import sys
from multiprocessing.context import ForkServerContext, SpawnContext

IMPORTS = ["samantic.run.train", "samantic.run.distill"]


def training_processes() -> ForkServerContext | SpawnContext:
    """A context whose processes have PyTorch and Lightning imported when they start.

    On Linux they are forks of a server process that imports once, which takes seconds, and runs
    nothing. Elsewhere each process imports anew.
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTS)
    return context
