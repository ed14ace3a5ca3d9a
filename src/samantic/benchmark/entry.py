"""The description of a contender in a benchmark, which can be sent to another process."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """A contender, described so that another process can open it too.

    Attributes:
        kind: `torch` is a model in PyTorch, `file` an exported file, `bare` the passes of a base.
        place: Model folder, file, or name of a base.
        precision: Precision in which PyTorch computes, or for which the file was exported.
        size: Height and width of the images in pixels.
        batch: Pairs in a batch.
        threads: Number of threads.
        device: Device on which PyTorch computes.
        files: Folder for images to read and labels to write, if these count too; None starts from
            images in memory.
    """

    kind: str
    place: str
    precision: str
    size: tuple[int, int]
    batch: int
    threads: int
    device: str
    files: str | None = None
