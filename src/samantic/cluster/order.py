"""The description of a job, which is sent to every worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from samantic.cluster.storage import Place

Form = Literal["png", "shards", "parquet"]
"""The form of the labels: a tree of PNGs, WebDataset shards, or Parquet with run lengths."""

FORMS = get_args(Form)

BLOCK = 64
"""Number of pairs in a block."""


@dataclass(frozen=True)
class Order:
    """A job.

    Attributes:
        model: Name or path of the model, for messages.
        options: Keyword arguments of `samantic.load`.
        made: Settings with which all labels are made: the model's fingerprint and its options.
        classes: Class names by label id.
        output: Folder for all files.
        form: Form of the labels.
        block: Number of pairs that are sent and written together.
        batch_size: Pairs that go through the network together; None for the model's default.
        cpus: Threads of a model.
        gpus: GPUs, or a share of one, of a model.
        concurrency: Smallest and largest number of models; None for as many as there is room for.
        write_log: File to which a line is appended for every label file that is written; None for
            none.
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
