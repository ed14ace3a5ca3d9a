"""The results of a rehearsal's commands as a table."""

from __future__ import annotations

import re
from typing import Any

from samantic.config.train import Config

PAIRS = {"mfnet": 784, "pst900": 597, "fmb": 1220}
"""Published numbers of pairs in the train splits."""

STEP = re.compile(r"step: ([\d.e+-]+) s for (\d+) pairs")
PEAK = re.compile(r"memory: ([\d.]+) GB at the peak")
NEED = re.compile(r"estimate: ([\d.]+) GB, and ([\d.]+) GB for each pair")


def facts_of(verb: str, output: str, config: Config) -> dict[str, Any]:
    """The numbers of a dry run, and their meaning for the published configuration."""
    step, peak, need = (found.search(output) for found in (STEP, PEAK, NEED))
    if verb != "dry run" or step is None or peak is None or need is None:
        return {}
    train, layout = config.train, config.data.layout
    length = PAIRS[layout] * 9 // 10 if config.data.train.endswith("[:90%]") else PAIRS[layout]
    pairs = train.batch_size * train.accumulate
    steps = train.total_steps(length, pairs)
    pair = float(step[1]) / int(step[2])
    return {
        "image": "x".join(map(str, config.augment.crop)),
        "pair_seconds": pair,
        "step_peak": float(peak[1]),
        "batch": train.batch_size,
        "needed": float(need[1]) + train.batch_size * float(need[2]),
        "steps": steps,
        "hours": steps * pairs * pair / 3600,
    }


HEAD = (
    "configuration",
    "SAM2.1",
    "crop",
    "s a pair",
    "peak of a step, GB",
    "train, GB",
    "evaluate, GB",
    "predict, GB",
    "as published: GB",
    "steps",
    "hours",
)


def table(records: list[dict[str, Any]]) -> str:
    """The table in Markdown; an early end is named in place of numbers."""
    cells: dict[str, dict[str, Any]] = {}
    for record in records:
        cells.setdefault(record["cell"], {})[record["verb"]] = record
    lines = ["| " + " | ".join(HEAD) + " |", "|---" * len(HEAD) + "|"]
    for cell, verbs in cells.items():
        name, size = cell.split(" ")
        dry = verbs.get("dry run", {})
        row = [name, size, dry.get("image", ""), figure(dry, "pair_seconds", "{:.1f}")]
        row.append(figure(dry, "step_peak", "{:.2f}"))
        row += [peak(verbs.get(verb)) for verb in ("train", "evaluate", "predict")]
        row += [figure(dry, "needed", "{:.1f}"), figure(dry, "steps", "{}")]
        row.append(figure(dry, "hours", "{:.0f}"))
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


def figure(record: dict[str, Any], key: str, form: str) -> str:
    return form.format(record[key]) if key in record else record.get("status", "not run")


def peak(record: dict[str, Any] | None) -> str:
    if record is None:
        return "not run"
    return f"{record['peak'] / 1e9:.2f}" if record["status"] == "done" else str(record["status"])
