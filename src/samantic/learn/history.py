"""What a run wrote about itself: the figures of its steps, and the similarities of its classes."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def read_similarity(path: Path) -> dict[str, NDArray[np.float32]]:
    """Read the file of `callbacks.KeepSimilarity`; empty if there is none."""
    if not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def read_history(out: Path) -> list[dict[str, float]]:
    """The logged metrics of a run in order, over all of its parts; each row has a `step`.

    If a part was resumed from an earlier step, its rows replace those after that step. Values that
    are not finite are left out.
    """
    history: list[dict[str, float]] = []
    parts = sorted((out / "logs").glob("part-*/metrics.csv"), key=lambda p: int(p.parent.name[5:]))
    for part in parts:
        with part.open(newline="", encoding="utf-8") as file:
            rows = [
                {key: float(x) for key, x in row.items() if x and math.isfinite(float(x))}
                for row in csv.DictReader(file)
            ]
        if rows:
            history = [row for row in history if row["step"] < rows[0]["step"]] + rows
    return history
