"""What a run writes while it goes on."""

from __future__ import annotations

import csv
from pathlib import Path

from samantic.learn.history import read_history


def test_history_of_a_resumed_run(tmp_path: Path) -> None:
    for part, steps in ((0, (1, 3, 5)), (1, (3, 5, 7))):
        folder = tmp_path / "logs" / f"part-{part}"
        folder.mkdir(parents=True)
        with (folder / "metrics.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["step", "train/loss"])
            writer.writerows([step, part] for step in steps)
    assert [(row["step"], row["train/loss"]) for row in read_history(tmp_path)] == [
        (1, 0),
        (3, 1),
        (5, 1),
        (7, 1),
    ]
    assert read_history(tmp_path / "nowhere") == []
