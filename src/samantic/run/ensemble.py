"""Teacher, ensemble and student measured on the same images."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from samantic.config.classes import IGNORE
from samantic.data.pairs import PairedFolder
from samantic.data.samples import Sample
from samantic.data.sensors import SENSORS
from samantic.distill.ensemble import Answer, Ensemble
from samantic.learn.history import read_history
from samantic.measure.evaluation import Evaluation
from samantic.measure.gallery import Frame
from samantic.measure.record import measured, nulls, paired_gain
from samantic.measure.tables import UNKNOWN, in_columns, interval, percent, points
from samantic.metrics import confusion_matrix
from samantic.predict.info import ModelInfo
from samantic.predict.predictor import Predictor, load
from samantic.progress import progress
from samantic.report.figures import curves
from samantic.report.pages import Section, write_sections
from samantic.report.pictures import Panel
from samantic.run.lessons import lesson_panel

SHOWN = 8
"""Number of images in the report with their training targets."""

NOTE = (
    "The teacher as it predicts the windows of an image; the ensemble, which is the teacher "
    "corrected by masks; and the student, which learnt from both without labels. Differences are "
    "paired by image."
)

NAMES = {
    "teacher": "teacher",
    "whole": "teacher, whole panoramas",
    "ensemble": "ensemble",
    "student": "student",
}
"""The measured parts, and their names in tables."""

REFERENCES = {"teacher": "to the teacher", "whole": "to the teacher, whole"}
"""The parts with which others are compared, and the headings of these differences."""


def compare_with_teacher(
    ensemble: Ensemble, info: ModelInfo, dataset: PairedFolder, evaluation: Evaluation
) -> tuple[dict[str, Any], list[Section]]:
    """Measure teacher and ensemble on the labelled pairs on which the student was evaluated.

    A teacher of panoramas teaches in windows. It is measured on whole panoramas too, since a user
    without a student would use it so.

    Args:
        ensemble: Teacher and masks.
        info: Classes and colours.
        dataset: The pairs.
        evaluation: The student's evaluation.

    Returns:
        The key `distillation` of metrics.json, and a section of the report.
    """
    found: dict[str, list[Tensor]] = defaultdict(list)
    undivided = _undivided(ensemble)
    confident = torch.zeros(3, dtype=torch.int64)
    every = _step(len(evaluation.frames))
    frames = {frame.name: frame for frame in evaluation.frames[::every]}
    panels = []
    for index in progress(range(len(dataset)), "teacher", "image"):
        sample = dataset[index]
        answer, truth = ensemble.answer(sample), cast(Tensor, sample.labels)
        labels = {"teacher": answer.teacher, "ensemble": answer.ensemble}
        if undivided is not None:
            labels["whole"] = undivided.classify(*sample.batch()).labels[0, 0]
        for name, part in labels.items():
            found[name].append(confusion_matrix(part, truth, len(info.classes)))
        confident += _count_confident(answer, truth)
        if sample.name in frames:
            panels.append(lesson_panel(frames[sample.name], answer, info))
    stacked = {name: torch.stack(parts) for name, parts in found.items()}
    content = nulls(_figures(stacked | {"student": evaluation.matrices}, confident, info))
    return {"distillation": content}, [_section(content, panels)]


def _undivided(ensemble: Ensemble) -> Predictor | None:
    """The teacher of panoramas on whole images; None if it does not teach in windows."""
    if ensemble.masks.window is None:
        return None
    teacher, device = ensemble.teacher, str(ensemble.device)
    return Predictor(teacher.network, teacher.info, device, panorama=True)


def write_lessons(out: Path, info: ModelInfo, ensemble: Ensemble, pairs: PairedFolder) -> None:
    """Write report.html of a run without labels: training targets and the student's predictions.

    Args:
        out: Run folder.
        info: The student's options, classes and colours.
        ensemble: Teacher and masks.
        pairs: The unlabelled images.
    """
    predictor = load(out, panorama=ensemble.masks.window is not None or None)
    panels = []
    for index in range(0, len(pairs), _step(len(pairs))):
        sample = pairs[index]
        labels = predictor.classify(*sample.batch()).labels[0, 0]
        frame = _unlabelled(sample, labels)
        panels.append(lesson_panel(frame, ensemble.answer(sample), info))
    section = Section(
        "What the student learnt from", NOTE, [], [], curves(read_history(out)), panels
    )
    title = f"{out.name}: distilled on {info.dataset}"
    write_sections(out / "report.html", title, [info.origin], [section])


def _rows(content: dict[str, Any]) -> dict[str, list[str]]:
    """The cells of each part: mIoU in per cent, and its differences to the references."""
    rows = {}
    for name, title in NAMES.items():
        if (part := content.get(name)) is None:
            continue
        cells = [percent(part["miou"], UNKNOWN), interval(part["miou_interval"])]
        for gains in content["differences"].values():
            cells += _gain_cells(gains.get(name))
        rows[title] = cells
    return rows


def _gain_cells(gain: dict[str, Any] | None) -> list[str]:
    if gain is None:
        return ["", ""]
    return [points(gain["difference"]), interval(gain["interval"])]


def _titles(content: dict[str, Any], interval: str) -> list[str]:
    """The headings of the columns with differences."""
    titles = [REFERENCES[reference] for reference in content["differences"]]
    return [word for title in titles for word in (title, interval)]


def distillation_table(metrics: dict[str, Any]) -> str:
    """The table of the key `distillation` of metrics.json for the terminal."""
    content = metrics["distillation"]
    titles = {"mIoU %": ["", "95 %", *_titles(content, "95 %")]}
    return "\n".join(in_columns(titles | _rows(content)))


def _unlabelled(sample: Sample, labels: Tensor) -> Frame:
    images = {name: SENSORS[name].as_pixels(image) for name, image in sample.images.items()}
    ids = labels.byte().numpy()
    truth = np.full_like(ids, IGNORE)
    return Frame(sample.name, images, truth, ids, float("nan"))


def _step(count: int) -> int:
    """Interval between the images that are shown."""
    return -(-count // SHOWN)


def _count_confident(answer: Answer, truth: Tensor) -> Tensor:
    """Number of labelled pixels, of confident ones among them, and of correct ones among these."""
    labelled = truth != IGNORE
    inside = labelled & (answer.confident != IGNORE)
    right = inside & (answer.confident == truth)
    return torch.stack([labelled.sum(), inside.sum(), right.sum()])


def _figures(matrices: dict[str, Tensor], confident: Tensor, info: ModelInfo) -> dict[str, Any]:
    """The key `distillation` of metrics.json."""
    content: dict[str, Any] = {
        name: measured(part, info.classes) for name, part in matrices.items()
    }
    labelled, inside, right = confident.tolist()
    content["confident"] = {
        "share": inside / max(labelled, 1),
        "accuracy": right / inside if inside else None,
    }
    content["differences"] = {
        reference: {
            name: paired_gain(matrices[name], matrices[reference])
            for name in NAMES
            if name in matrices and name not in ("teacher", reference)
        }
        for reference in REFERENCES
        if reference in matrices
    }
    return content


def _section(content: dict[str, Any], panels: list[Panel]) -> Section:
    confident = content["confident"]
    note = f"{NOTE} The confident part covers {100 * confident['share']:.1f} % of the pixels"
    if confident["accuracy"] is not None:
        note += f", of which {100 * confident['accuracy']:.1f} % are right"
    header = ["", "mIoU, %", "95 % interval", *_titles(content, "95 % interval")]
    rows = [[name, *cells] for name, cells in _rows(content).items()]
    return Section("Beside the teacher", f"{note}.", header, rows, [], panels)
