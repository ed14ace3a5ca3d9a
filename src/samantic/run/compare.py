"""Evaluate several models on the same pairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from samantic.checkpoint import find_model
from samantic.errors import InputError
from samantic.files import write_json
from samantic.frames import Frame
from samantic.metrics import paired_difference
from samantic.model_info import read_info
from samantic.records import (
    in_columns,
    interval,
    nulls,
    pair_count,
    points,
    robustness_table,
    table,
)
from samantic.report import side_by_side, write_page
from samantic.run.evaluate import Split, measure, model_name


def compare(
    models: Sequence[str | Path],
    split: Split,
    *,
    out: Path | None = None,
    disturbances: Sequence[str] = (),
    skip_bad: bool = False,
    quiet: bool = False,
) -> dict[str, Any]:
    """Measure several models on the same pairs of a split.

    Writes comparison.json and report.html, and for every model a folder as `evaluate` does. The
    differences are to the first model, paired by frame, with a 95 % bootstrap interval.

    Args:
        models: Run folders, model folders or hub ids, of the same classes.
        split: On what.
        out: Folder to write to; None means runs/evaluate/NAME-and-others-SPLIT.
        disturbances: Keys of `disturbances.SUITE`, under which the models are measured too.
        skip_bad: Go on past pairs that cannot be read, and name them.
        quiet: Print no table.

    Returns:
        The content of comparison.json: `models`, the content of metrics.json by name, and
        `differences`, by name the difference of mIoU to the first and its interval.

    Raises:
        InputError: A model or the data cannot be used, or two models have one name.
    """
    folders = _named(models)
    out = out or Path("runs", "evaluate", f"{next(iter(folders))}-and-others-{split.name}")
    measured, matrices, frames = {}, {}, {}
    for name, folder in folders.items():
        metrics, evaluation = measure(folder, split, out / name, disturbances, skip_bad)
        measured[name], matrices[name] = metrics, evaluation.matrices
        frames[name] = evaluation.frames
    first, *others = folders
    differences = {}
    for name in others:
        difference, low, high = paired_difference(matrices[name], matrices[first])
        differences[name] = nulls({"difference": difference, "interval": [low, high]})
    comparison = {"models": measured, "differences": differences}
    _write_page(out, folders[first], comparison, frames)
    write_json(out / "comparison.json", comparison)
    if not quiet:
        print(f"\n{len(folders)} models on {split.name} ({pair_count(measured[first]['frames'])})")
        print(_text(comparison))
        print(f"report: {out / 'report.html'}")
    return comparison


def _named(models: Sequence[str | Path]) -> dict[str, Path]:
    """The folder of each model by its name."""
    folders: dict[str, Path] = {}
    for model in models:
        folder = find_model(model)
        name = model_name(folder)
        if name in folders:
            raise InputError(
                f"{model}: named like {folders[name]}; copy one of them to a folder of another name"
            )
        folders[name] = folder
    return folders


def _text(comparison: dict[str, Any]) -> str:
    """What the terminal shows."""
    models = comparison["models"]
    parts = [table(models)]
    first = next(iter(models))
    lines = {
        name: [points(entry["difference"]), interval(entry["interval"])]
        for name, entry in comparison["differences"].items()
    }
    parts.append("\n".join(in_columns({f"mIoU against {first}": ["", "95 %"]} | lines)))
    if models[first]["robustness"]:
        parts.append(robustness_table(models))
    return "\n\n".join(parts)


def _write_page(
    out: Path, folder: Path, comparison: dict[str, Any], frames: dict[str, list[Frame]]
) -> None:
    """The models' figures and predictions of the same frames side by side."""
    models, info = comparison["models"], read_info(folder)
    names = [{frame.name for frame in kept} for kept in frames.values()]
    common = set.intersection(*names)
    shown = {model: [f for f in kept if f.name in common] for model, kept in frames.items()}
    first = next(iter(models.values()))
    write_page(
        out / "report.html",
        columns=models,
        info=info,
        title=", ".join(models),
        lead=f"{pair_count(first['frames'])} of the split '{first['split']}', the same for every "
        "model.",
        panels=side_by_side(shown, info),
        figures=[],
        facts={
            f"{name} against {next(iter(models))}": f"{points(entry['difference'])} points of "
            f"mIoU ({interval(entry['interval'])})"
            for name, entry in comparison["differences"].items()
        },
    )
