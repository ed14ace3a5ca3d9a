"""Evaluate a trained model on a labelled split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from samantic.callbacks import read_history, read_similarity
from samantic.checkpoint import find_model, read_text, write_card
from samantic.config import Layout
from samantic.data.pairs import PairedFolder
from samantic.data.spec import DatasetSpec
from samantic.evaluation import Evaluation, evaluate_predictor
from samantic.figures import published_bars
from samantic.files import write_json
from samantic.predict import load
from samantic.published import TABLES, beside_published, comparable, our_name, with_ours
from samantic.records import (
    means_table,
    metrics_json,
    nulls,
    pair_count,
    robustness_table,
    table,
    write_confusion,
)
from samantic.report import Section, write_report

EVEN, EXTREMES = 16, 12
"""Evenly spaced frames, worst frames and best frames in a report."""


Beside = Callable[[PairedFolder, Evaluation], tuple[dict[str, Any], list[Section]]]
"""What else is measured on the pairs of an evaluation: keys for metrics.json, and what to show."""


class Split(NamedTuple):
    """What a model is evaluated on.

    Attributes:
        root: Folder of the data set.
        layout: How files lie in it, or its data card.
        name: Name of the split.
        thermal_scaling: Where thermal values come in another unit than in training: 8-bit, frame
            or LOW,HIGH.
        rig: Where the cameras stand otherwise than in training: resize, or a calibration file.
        panorama: Images go all around: they are predicted without a seam at their left and right
            edge.
    """

    root: str | Path
    layout: Layout | DatasetSpec
    name: str
    thermal_scaling: str | None = None
    rig: str | None = None
    panorama: bool = False


def evaluate(
    model: str | Path,
    split: Split,
    *,
    out: Path | None = None,
    disturbances: Sequence[str] = (),
    skip_bad: bool = False,
    seed: int | None = None,
    quiet: bool = False,
    beside: Beside | None = None,
) -> dict[str, Any]:
    """Measure a trained model on a labelled split.

    Writes metrics.json, confusion.npz and report.html.

    Args:
        model: Run folder, model folder or hub id.
        split: On what.
        out: Folder to write to; None means runs/evaluate/NAME-SPLIT.
        disturbances: Keys of `disturbances.SUITE`, under which the model is measured too.
        skip_bad: Go on past pairs that cannot be read, and name them.
        seed: Seed of the training, for the record.
        quiet: Print no table.
        beside: What else to measure on the same pairs.

    Returns:
        The content of metrics.json.

    Raises:
        InputError: The model or the data cannot be used.
    """
    folder = find_model(model)
    out = out or Path("runs", "evaluate", f"{model_name(folder)}-{split.name}")
    metrics, _ = measure(folder, split, out, disturbances, skip_bad, seed, beside)
    if not quiet:
        print(f"\n{model_name(folder)} on {split.name} ({pair_count(metrics['frames'])})")
        print(_text(metrics))
        print(f"report: {out / 'report.html'}")
    return metrics


def measure(
    folder: Path,
    split: Split,
    out: Path,
    disturbances: Sequence[str] = (),
    skip_bad: bool = False,
    seed: int | None = None,
    beside: Beside | None = None,
) -> tuple[dict[str, Any], Evaluation]:
    """Measure a model and write what was measured; see `evaluate`."""
    predictor = load(
        folder, thermal_scaling=split.thermal_scaling, rig=split.rig, panorama=split.panorama
    )
    info = predictor.info
    dataset = PairedFolder(
        split.root, split.layout, split.name, classes=info.classes, camera=predictor.camera
    )
    text = read_text(folder, info)
    evaluation = evaluate_predictor(
        predictor,
        dataset,
        disturbances=disturbances,
        features=text is not None,
        pictures=EVEN,
        extremes=EXTREMES,
        skip_bad=skip_bad,
    )
    metrics = metrics_json(evaluation, dataset, seed=seed, text=text)
    sections = _published(metrics)
    if beside is not None:
        also, shown = beside(dataset, evaluation)
        metrics, sections = metrics | nulls(also), sections + shown
    write_confusion(out / "confusion.npz", evaluation)
    if folder.parent == out:
        write_card(folder, info, metrics)
    history, matrices = read_history(out), read_similarity(out / "similarity.npz")
    write_report(out, info, metrics, evaluation, history, matrices, sections)
    write_json(out / "metrics.json", metrics)  # last of all: a run that has it is complete
    return metrics, evaluation


def _published(metrics: dict[str, Any]) -> list[Section]:
    """The published table of the data set and its bars, if there is one."""
    rows = with_ours(metrics)
    if rows is None:
        return []
    header, lines = rows
    means = TABLES[metrics["dataset"]].means()
    ours = metrics["miou"]
    figures = [] if ours is None else [published_bars(means, (our_name(metrics), 100 * ours))]
    title = f"Beside the published: {header[0]}"
    return [Section(title, comparable(metrics), ["method", *header[1:]], lines, figures, [])]


def _text(metrics: dict[str, Any]) -> str:
    """What the terminal shows."""
    parts = [table({"all": metrics, **metrics["per_subset"]}), means_table(metrics)]
    if metrics["robustness"]:
        parts.append(robustness_table({"all": metrics}))
    if beside := beside_published(metrics):
        parts.append(beside)
    if metrics["unlabelled"]:
        count = pair_count(metrics["unlabelled"])
        parts.append(
            f"no pixel of {count} of {metrics['frames']} has a label: nothing is measured of them"
        )
    for name, problem in metrics["skipped"].items():
        parts.append(f"skipped {name}: {problem}")
    return "\n\n".join(parts)


def model_name(folder: Path) -> str:
    """What to call a model: its run folder's name, or its own."""
    return folder.parent.name if folder.name == "model" else folder.name
