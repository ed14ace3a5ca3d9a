"""The report of a run: one HTML page with its metrics and its frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from samantic.data.cards.rgbt import PAIRS
from samantic.measure.evaluation import Evaluation
from samantic.predict.domain import unlike, warning
from samantic.predict.info import ModelInfo
from samantic.report.figures import curves, similarity_matrices
from samantic.report.pages import Section, legend, render
from samantic.report.pictures import run_panels
from samantic.report.robustness import robustness_of
from samantic.report.trend import trend_of


def write_report(
    out: Path,
    info: ModelInfo,
    metrics: dict[str, Any],
    evaluation: Evaluation,
    history: list[dict[str, float]],
    similarity: dict[str, np.ndarray],
    extra: Sequence[Section] = (),
) -> None:
    """Write report.html: figures, tables, the confusion of classes, and the frames.

    Args:
        out: Folder of the report; its config.yaml is shown if there is one.
        info: The model's options, classes and colours.
        metrics: Content of metrics.json.
        evaluation: The evaluation, whose frames and confusion matrix are shown.
        history: Logged metrics of the training; may be empty.
        similarity: Similarity of the classes at each validation; may be empty.
        extra: Sections after the classes, such as published results.
    """
    config = out / "config.yaml"
    subsets = dict(zip(evaluation.names, evaluation.subsets, strict=True))
    confidence = evaluation.confidence()
    strange = unlike(confidence, info.confidence)
    render(
        "report.html",
        out / "report.html",
        title=f"{out.name}: {info.model.fusion} on {info.dataset}",
        metrics=metrics,
        columns={"all": metrics, **metrics["per_subset"]},
        legend=legend(info),
        extra=extra,
        confusion=row_shares(evaluation.matrix),
        robustness=robustness_of(metrics),
        panels=run_panels(evaluation.frames, subsets, info, strange),
        warning=warning(confidence, info.confidence, strange),
        own=metrics.get("dataset") == PAIRS.title,
        trend=trend_of(history).text,
        figures=[*curves(history), *similarity_matrices(similarity, info.classes)],
        facts=_facts(info, metrics),
        config=config.read_text(encoding="utf-8") if config.exists() else None,
    )


def row_shares(matrix: Tensor) -> list[list[float] | None]:
    """The share of each true class's pixels that went to each class.

    Args:
        matrix: (K, K) confusion matrix, rows are the truth.

    Returns:
        K rows of K shares; None for a class without pixels.

    Example:
        >>> row_shares(torch.tensor([[3, 1], [0, 0]]))
        [[0.75, 0.25], None]
    """
    return [(row / row.sum()).tolist() if row.any() else None for row in matrix.double()]


def _facts(info: ModelInfo, metrics: dict[str, Any]) -> dict[str, Any]:
    return {
        "network": info.model.network,
        "base": info.model.base,
        "adaptation": info.adapt.method,
        "fusion": info.model.fusion,
        "auxiliary head": info.model.auxiliary,
        "class names from": info.language or "nowhere",
        **({"made": info.origin} if info.origin else {}),
        "panorama": "yes" if metrics["panorama"] else "no",
        "shown at": f"{metrics['eval_size']} px" if metrics.get("eval_size") else "its own size",
        "seed": metrics["seed"],
        "git": metrics["git"],
        **metrics["versions"],
    }
