"""What a job is asked to do; it travels to every worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from samantic.cluster.storage import Place

Form = Literal["png", "shards", "parquet"]
"""What labels are written as: a tree of PNGs, WebDataset shards, or Parquet with run lengths."""

FORMS = get_args(Form)

BLOCK = 64
"""Pairs that travel, and are written, together."""


@dataclass(frozen=True)
class Order:
    """A job.

    Attributes:
        model: Name or path of the model, for messages.
        options: Of `samantic.load`, as its keyword arguments.
        made: What all labels are made with: the model's fingerprint and its options.
        classes: Class names by label id.
        output: Where everything is written.
        form: What labels are written as.
        block: Pairs that travel, and are written, together.
        batch_size: Pairs that go through the network together; None as the model says.
        cpus: Threads of a model.
        gpus: GPUs, or a share of one, of a model.
        concurrency: Models at work, at least and at most; None: as many as there is room for.
        write_log: File to which every label file that is written appends a line; None for none.
    """

    model: str
    options: dict[str, Any]
    made: dict[str, Any]
    classes: tuple[str, ...]
    output: Place
    form: Form = "png"
    block: int = BLOCK
    batch_size: int | None = None
    cpus: int = 1
    gpus: float = 0.0
    concurrency: tuple[int, int] | None = None
    write_log: str | None = None
