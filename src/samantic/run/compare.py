"""Evaluate several models on the same pairs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from samantic.data.class_names import difference
from samantic.errors import InputError
from samantic.files import write_json
from samantic.measure.gallery import Frame
from samantic.measure.record import nulls, paired_gain
from samantic.measure.tables import (
    in_columns,
    interval,
    pair_count,
    points,
    robustness_table,
    scores_table,
)
from samantic.provenance import check_folder, write_inputs
from samantic.report.pages import write_page
from samantic.report.pictures import side_by_side
from samantic.run.evaluate import measure, model_name
from samantic.run.split import Split, map_line, settled
from samantic.runtime.load import find, info_at
from samantic.strings import file_name, printable


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

    Writes comparison.json and report.html, and for every model a folder as `evaluate` does.
    Differences to the first model are paired by frame and have a 95 % bootstrap interval.

    Args:
        models: Run folders, model folders or hub ids of models with the same classes.
        split: Split to measure on.
        out: Folder to write to; None means runs/evaluate/NAME-and-others-DATA-SPLIT.
        disturbances: Keys of `disturbances.SUITE`; the models are also measured under each of them.
        skip_bad: Skip pairs that cannot be read, and name them.
        quiet: Print no table.

    Returns:
        The content of comparison.json: `models`, the content of metrics.json by model name, and
            `differences`, the mIoU difference to the first model and its interval by model name.

    Raises:
        InputError: A model or the data cannot be used, classes differ, two models have one name,
            `out` holds another comparison, or the models skip different pairs.
    """
    folders = _named(models)
    _check_classes(folders)
    split = settled(split, list(folders.values()))
    title = file_name(f"{next(iter(folders))}-and-others-{split.title}")
    out = out or Path("runs", "evaluate", title)
    made = {"models": [str(f.resolve()) for f in folders.values()], **split.inputs()}
    check_folder(out, made, "a comparison", ("comparison.json", "metrics.json", "report.html"))
    measured, matrices, frames, names = {}, {}, {}, {}
    for name, folder in folders.items():
        metrics, evaluation = measure(folder, split, out / name, disturbances, skip_bad)
        measured[name], matrices[name] = metrics, evaluation.matrices
        frames[name], names[name] = evaluation.frames, evaluation.names
        _check_pairs(names, metrics["skipped"])
    first = next(iter(folders))
    comparison = {"models": measured, "differences": _differences(matrices)}
    write_inputs(out, made)
    _write_page(out, folders[first], comparison, frames, split.spec.modalities)
    write_json(out / "comparison.json", comparison)
    if not quiet:
        pairs = pair_count(measured[first]["frames"], split.spec.modalities)
        print(f"\n{len(folders)} models on {printable(split.name)} ({pairs})")
        print(_text(comparison))
        print(f"report: {out / 'report.html'}")
    return comparison


def _differences(matrices: dict[str, Tensor]) -> dict[str, Any]:
    """The difference of each model's mIoU to the first model's, and its interval, by name."""
    first, *others = matrices
    return {name: nulls(paired_gain(matrices[name], matrices[first])) for name in others}


def _named(models: Sequence[str | Path]) -> dict[str, Path]:
    """The folder of each model by its name."""
    folders: dict[str, Path] = {}
    for model in models:
        folder = find(model)
        name = model_name(folder)
        if name in folders:
            raise InputError(
                f"{model}: has the same name as {folders[name]}; copy one of them to a "
                "folder of another name"
            )
        folders[name] = folder
    return folders


def _check_classes(folders: dict[str, Path]) -> None:
    """Refuse models with different classes."""
    (first, classes), *others = ((name, info_at(f).classes) for name, f in folders.items())
    for name, its in others:
        if problem := difference(classes, its):
            raise InputError(
                f"{first} and {name}: models of different classes ({problem}); compare models with "
                "the same classes, or evaluate each by itself"
            )


def _check_pairs(names: dict[str, list[str]], skipped: dict[str, str]) -> None:
    """Refuse models that were measured on different pairs.

    Args:
        names: The pairs of each model, of the last one last.
        skipped: The errors of the last one.
    """
    first, last = next(iter(names)), list(names)[-1]
    if odd := sorted({*names[first]} ^ {*names[last]}):
        who, why = (last, f": {skipped[odd[0]]}") if odd[0] in skipped else (first, "")
        raise InputError(
            f"{first} and {last}: differences need the same pairs, but {who} skips {odd[0]}{why}; "
            "take it out of the split, or evaluate each model by itself"
        )


def _text(comparison: dict[str, Any]) -> str:
    """The text for the terminal."""
    models = comparison["models"]
    parts = [scores_table(models)]
    first = next(iter(models))
    lines = {
        name: [points(entry["difference"]), interval(entry["interval"])]
        for name, entry in comparison["differences"].items()
    }
    parts.append("\n".join(in_columns({f"mIoU against {first}": ["", "95 %"]} | lines)))
    if models[first]["robustness"]:
        parts.append(robustness_table(models))
    if class_map := models[first]["class_map"]:
        parts.append(map_line(class_map, tuple(models[first]["iou"])))
    return "\n\n".join(parts)


def _write_page(
    out: Path,
    folder: Path,
    comparison: dict[str, Any],
    frames: dict[str, list[Frame]],
    sensors: Collection[str],
) -> None:
    """Write a report with the models' metrics and predictions of the same frames side by side."""
    models, info = comparison["models"], info_at(folder)
    names = [{frame.name for frame in kept} for kept in frames.values()]
    common = set.intersection(*names)
    shown = {model: [f for f in kept if f.name in common] for model, kept in frames.items()}
    first = next(iter(models.values()))
    write_page(
        out / "report.html",
        columns=models,
        info=info,
        title=", ".join(models),
        lead=f"{pair_count(first['frames'], sensors)} of the split '{first['split']}', the same "
        "for every model.",
        panels=side_by_side(shown, info),
        figures=[],
        facts={
            f"{name} against {next(iter(models))}": f"{points(entry['difference'])} points of "
            f"mIoU ({interval(entry['interval'])})"
            for name, entry in comparison["differences"].items()
        },
    )
