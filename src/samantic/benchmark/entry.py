"""What takes part in a benchmark, in words that another process understands."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """One that takes part, as it is opened anew in a process of its own too.

    Attributes:
        kind: `torch` is a model in PyTorch, `file` an exported file, `bare` the passes of a base.
        place: Model folder, file, or name of a base.
        precision: In which PyTorch computes; what the file was exported for.
        size: Height and width of the images in pixels.
        batch: Pairs at a time.
        threads: Threads to compute with.
        device: Where PyTorch computes.
        files: A folder for images to read and labels to write, where these count too; None starts
            from images in memory.
    """

    kind: str
    place: str
    precision: str
    size: tuple[int, int]
    batch: int
    threads: int
    device: str
    files: str | None = None
