"""Tables of finished cells: mean and deviation over seeds, differences with their intervals."""

from __future__ import annotations

import csv
import io
import re
import textwrap
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from torch import Tensor

from samantic.ablation.grid import Grid
from samantic.ablation.tables import Row, Table
from samantic.files import read_json
from samantic.measure.disturbances import MISSING
from samantic.measure.record import read_confusion
from samantic.metrics import paired_difference
from samantic.strings import escaped, spreadsheet

TEACHERS = {"teacher": "teacher", "whole": "teacher, whole", "ensemble": "ensemble"}
"""The references for a distilled student: key in metrics.json, and name in tables."""


@dataclass(frozen=True)
class Result:
    """The results of a row's finished cells.

    Attributes:
        row: The row.
        metrics: Content of metrics.json by seed.
        matrices: (s, n, K, K) confusion matrices by seed and image; None if no cell finished.
        names: Names of the n images.
    """

    row: Row
    metrics: dict[int, dict[str, Any]]
    matrices: Tensor | None
    names: tuple[str, ...] = ()

    def figure(self, *keys: str) -> str:
        """Mean over the seeds in per cent, with the standard deviation if there are several."""
        values = [100 * value for value in self.values(*keys) if value is not None]
        if not values:
            return "no label" if self.metrics else "failed"
        spread = f" ± {stdev(values):.2f}" if len(values) > 1 else ""
        return f"{mean(values):.2f}{spread}"

    def values(self, *keys: str) -> list[float]:
        """A metric of every seed, given by keys such as ("robustness", "rgb missing", "miou")."""
        found: list[Any] = list(self.metrics.values())
        for key in keys:
            found = [entry[key] for entry in found]
        return found


def collect(grid: Grid, table: Table) -> list[Result]:
    """Read the metrics of a table's rows; a cell without metrics is left out."""
    results = []
    for row in table.rows:
        metrics, matrices, names = {}, [], list[str]()
        for seed in grid.seeds:
            config = grid.cells[table.name, row.name, seed]
            if grid.finished(config):
                metrics[seed] = read_json(Path(config.out) / "metrics.json")
                names, found = read_confusion(Path(config.out) / "confusion.npz")
                matrices.append(found)
        stacked = torch.stack(matrices) if matrices else None
        results.append(Result(row, metrics, stacked, tuple(names)))
    return results


def columns(table: Table, results: list[Result]) -> tuple[list[str], list[list[str]]]:
    """The table as text: its header, and a list of cells for every row."""
    header = ["", "mIoU", f"to {table.rows[0].name} (95 %)", "mAcc", "F1"]
    aligned = all(m["text_alignment"] for r in results for m in r.metrics.values())
    header += ["text alignment"] * aligned
    beside = [m.get("distillation", {}) for r in results for m in r.metrics.values()]
    taught = [name for name in TEACHERS if beside and all(name in part for part in beside)]
    header += [TEACHERS[name] for name in taught]
    header += list(MISSING) * table.robustness
    papers = list(dict.fromkeys(key for row in table.rows for key in row.published))
    header += [f"paper: {key}" for key in papers]
    lines = []
    for result in results:
        line = [result.row.name, result.figure("miou"), _difference(result, results[0])]
        line += [result.figure("macc"), result.figure("f1")]
        if aligned:
            line.append(_alignment(result))
        line += [result.figure("distillation", name, "miou") for name in taught]
        if table.robustness:
            line += [_robustness(result, key) for key in MISSING]
        line += [str(result.row.published.get(key, "")) for key in papers]
        lines.append(line)
    return header, lines


def markdown(table: Table, header: list[str], lines: list[list[str]], facts: list[str]) -> str:
    """The table as a Markdown page.

    Args:
        table: The table's description.
        header: From `columns`.
        lines: From `columns`.
        facts: Sentences on how it was measured.
    """
    rule = ["---", *["---:"] * (len(header) - 1)]
    cells = [list(map(escaped, line)) for line in (header, *lines)]
    rows = ["| " + " | ".join(line) + " |" for line in (cells[0], rule, *cells[1:])]
    note = table.note.replace("<", "&lt;")
    prose = [_wrapped(text) for text in (*facts, *([note] if note else []))]
    paragraphs = [f"# {escaped(table.title)}", *prose]
    return "\n\n".join([*paragraphs, "\n".join(rows)]) + "\n"


def _wrapped(text: str) -> str:
    """Wrap prose at 100 characters; a command in backticks stays in one line."""
    if re.fullmatch(r"`+[^`]*`+", text):
        return text
    return textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)


def to_csv(results: list[Result]) -> str:
    """Every cell's metrics, one line for each row and seed."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    figures = ("miou_present", "macc", "f1")
    header = ["row", "seed", "miou", "low", "high", *figures, "text_alignment", *MISSING]
    writer.writerow([*header, *TEACHERS])
    for result in results:
        for seed, metrics in result.metrics.items():
            robustness = metrics["robustness"] or {}
            alignment = (metrics["text_alignment"] or {}).get("spearman", "")
            beside = metrics.get("distillation", {})
            writer.writerow(
                [
                    spreadsheet(result.row.name),
                    seed,
                    metrics["miou"],
                    *(metrics["miou_interval"] or ("", "")),
                    *(metrics[key] for key in figures),
                    alignment,
                    *(part["miou"] if (part := robustness.get(key)) else "" for key in MISSING),
                    *(part["miou"] if (part := beside.get(name)) else "" for name in TEACHERS),
                ]
            )
    return buffer.getvalue()


def _difference(result: Result, reference: Result) -> str:
    if result is reference or result.matrices is None or reference.matrices is None:
        return ""
    if result.names != reference.names:
        return "other images"
    values = paired_difference(result.matrices, reference.matrices)
    if isnan(values[0]):
        return ""
    difference, low, high = (100 * value for value in values)
    return f"{difference:+.2f}" + ("" if isnan(low) else f" ({low:+.2f} to {high:+.2f})")


def _alignment(result: Result) -> str:
    values = [m["text_alignment"]["spearman"] for m in result.metrics.values()]
    if not values or None in values:
        return ""
    return f"{mean(values):.2f}" + (f" ± {stdev(values):.2f}" if len(values) > 1 else "")


def _robustness(result: Result, key: str) -> str:
    """The mIoU under a disturbance; a model of one modality has none without its modality."""
    able = all(m["robustness"].get(key) for m in result.metrics.values())
    return result.figure("robustness", key, "miou") if able else ""
