"""Evaluate a trained model on a labelled split."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from samantic.data.pairs import PairedFolder
from samantic.errors import InputError
from samantic.files import write_json
from samantic.learn.history import read_history, read_similarity
from samantic.measure.evaluation import Evaluation, evaluate_predictor
from samantic.measure.exported import evaluate_exported
from samantic.measure.published import TABLES, beside_published, comparable, our_name, with_ours
from samantic.measure.record import metrics_json, nulls, write_confusion
from samantic.measure.tables import (
    means_table,
    pair_count,
    robustness_table,
    scores_table,
    tta_line,
)
from samantic.predict.model_folder import read_text_vectors, write_card
from samantic.predict.predictor import Predictor
from samantic.provenance import check_folder, write_inputs
from samantic.report.figures import published_bars
from samantic.report.pages import Section
from samantic.report.run_page import write_report
from samantic.run.split import Split, map_line, open_labelled, settled
from samantic.runtime.exported import ExportedModel
from samantic.runtime.load import find, is_exported, load
from samantic.strings import file_name, printable

EVEN, EXTREMES = 16, 12
"""Numbers of evenly spaced, worst and best frames in a report."""


Companions = Callable[[PairedFolder, Evaluation], tuple[dict[str, Any], list[Section]]]
"""Further measurements on the pairs of an evaluation: keys for metrics.json, report sections."""


def evaluate(
    model: str | Path,
    split: Split,
    *,
    out: Path | None = None,
    disturbances: Sequence[str] = (),
    skip_bad: bool = False,
    seed: int | None = None,
    quiet: bool = False,
    companions: Companions | None = None,
) -> dict[str, Any]:
    """Measure a trained model on a labelled split.

    Writes metrics.json, confusion.npz and report.html.

    Args:
        model: Run folder, model folder, hub id or exported file.
        split: Split to measure on.
        out: Folder to write to; None means runs/evaluate/NAME-DATA-SPLIT, where DATA is the name of
            the data set's folder.
        disturbances: Keys of `disturbances.SUITE`; the model is also measured under each of them.
        skip_bad: Skip pairs that cannot be read, and name them.
        seed: Seed of the training, for the record.
        quiet: Print no table.
        companions: Further measurements on the same pairs.

    Returns:
        The content of metrics.json.

    Raises:
        InputError: The model or the data cannot be used, their classes differ, or `out` holds
            another evaluation.
    """
    folder = find(model)
    split = settled(split, [folder])
    out = out or Path("runs", "evaluate", file_name(f"{model_name(folder)}-{split.title}"))
    made = None
    if folder.parent != out:
        made = {"model": str(folder.resolve()), **split.inputs()}
        check_folder(out, made, "an evaluation", ("metrics.json", "report.html"))
    metrics, _ = measure(folder, split, out, disturbances, skip_bad, seed, companions, made)
    if not quiet:
        title = printable(f"{model_name(folder)} on {split.name}")
        print(f"\n{title} ({pair_count(metrics['frames'], split.spec.modalities)})")
        print(_text(metrics, split.spec.modalities))
        print(f"report: {out / 'report.html'}")
    return metrics


def measure(
    folder: Path,
    split: Split,
    out: Path,
    disturbances: Sequence[str] = (),
    skip_bad: bool = False,
    seed: int | None = None,
    companions: Companions | None = None,
    made: dict[str, Any] | None = None,
) -> tuple[dict[str, Any], Evaluation]:
    """Measure a model on a settled split and write the results; see `evaluate`.

    If `made` is given, `out` records it as what the results were made from.
    """
    predictor = load(
        folder,
        thermal_scaling=split.thermal_scaling,
        rig=split.rig,
        panorama=split.panorama,
        size=split.size,
        tta=split.tta,
        thermal_inverted=split.thermal_inverted,
    )
    info = predictor.info
    dataset, class_map = open_labelled(split, info, predictor.camera)
    text = None if isinstance(predictor, ExportedModel) else read_text_vectors(folder, info)
    evaluation = _predict_all(folder, predictor, dataset, disturbances, skip_bad, text is not None)
    metrics = metrics_json(evaluation, dataset, seed=seed, text=text) | {"class_map": class_map}
    sections = _published(metrics)
    if companions is not None:
        also, shown = companions(dataset, evaluation)
        metrics, sections = metrics | nulls(also), sections + shown
    if made is not None:
        write_inputs(out, made)
    write_confusion(out / "confusion.npz", evaluation)
    if folder.parent == out:
        write_card(folder, info, metrics)
    history, matrices = read_history(out), read_similarity(out / "similarity.npz")
    write_report(out, info, metrics, evaluation, history, matrices, sections)
    write_json(out / "metrics.json", metrics)  # written last: a run with this file is complete
    return metrics, evaluation


def _predict_all(
    folder: Path,
    predictor: Predictor | ExportedModel,
    dataset: PairedFolder,
    disturbances: Sequence[str],
    skip_bad: bool,
    features: bool,
) -> Evaluation:
    """Predict the pairs of a split and count confusions.

    Raises:
        InputError: Disturbances are requested for an exported file.
    """
    kept: Any = {"pictures": EVEN, "extremes": EXTREMES, "skip_bad": skip_bad}
    if not isinstance(predictor, ExportedModel):
        return evaluate_predictor(
            predictor, dataset, disturbances=disturbances, features=features, **kept
        )
    if disturbances:
        raise InputError(f"{folder}: --robustness needs the model that it was exported from")
    return evaluate_exported(predictor, dataset, **kept)


def _published(metrics: dict[str, Any]) -> list[Section]:
    """The data set's table of published results and its chart, if there is one."""
    rows = with_ours(metrics)
    if rows is None:
        return []
    header, lines = rows
    means = TABLES[metrics["dataset"]].means()
    ours = metrics["miou"]
    figures = [] if ours is None else [published_bars(means, (our_name(metrics), 100 * ours))]
    title = f"Beside the published: {header[0]}"
    return [Section(title, comparable(metrics), ["method", *header[1:]], lines, figures, [])]


def _text(metrics: dict[str, Any], sensors: Collection[str]) -> str:
    """The text for the terminal."""
    parts = [scores_table({"all": metrics, **metrics["per_subset"]}), means_table(metrics)]
    if metrics["tta"]:
        parts.append(tta_line(metrics))
    if metrics["robustness"]:
        parts.append(robustness_table({"all": metrics}))
    if beside := beside_published(metrics):
        parts.append(beside)
    if metrics["class_map"]:
        parts.append(map_line(metrics["class_map"], tuple(metrics["iou"])))
    if metrics["unlabelled"]:
        count = pair_count(metrics["unlabelled"], sensors)
        parts.append(
            f"no pixel of {count} of {metrics['frames']} has a label: these frames are not measured"
        )
    for name, problem in metrics["skipped"].items():
        parts.append(printable(f"skipped {name}: {problem}"))
    return "\n\n".join(parts)


def model_name(folder: Path) -> str:
    """The name of a model: that of its run folder, or its own."""
    folder = Path(os.path.abspath(folder))  # noqa: PTH100  # "." has no name; keep a link's name
    if is_exported(folder):
        return folder.name
    if folder.parent.name == "snapshots":  # the hub's cache: models--OWNER--NAME/snapshots/...
        return folder.parent.parent.name.rpartition("--")[2]
    return folder.parent.name if folder.name == "model" else folder.name
