"""The page of a folder's predictions: what they look like, where there is no truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from samantic.data.images import open_image
from samantic.data.pairs import Files, read_images
from samantic.data.sensors import given
from samantic.measure.gallery import Frame
from samantic.measure.tables import pair_count
from samantic.predict.predictor import Predictor
from samantic.progress import progress
from samantic.report.pages import legend, render
from samantic.report.pictures import Panel, classes_in, labels_picture, sensor_pictures

MOST = 40
"""At most this many pairs are shown, evenly chosen."""

SEEN = 0.0005
"""Least share of the pixels of a class that is named."""


def write_predictions(
    out: Path, name: str, predictor: Predictor, files: list[Files], summary: dict[str, Any]
) -> None:
    """Write out/report.html on what `predict.folders.predict_files` wrote there.

    Args:
        out: Folder of the predictions.
        name: What the model is called.
        predictor: The model.
        files: The pairs that were asked for.
        summary: What `predict_files` returned.
    """
    done = [pair for pair in files if pair.name in summary["frames"]]
    places = np.linspace(0, len(done) - 1, min(MOST, len(done))).round().astype(int)
    shown = [done[place] for place in places]
    panels = [
        _panel(predictor, pair, out, summary["frames"][pair.name]["shares"])
        for pair in progress(shown, "report", "pair")
    ]
    render(
        "predictions.html",
        out / "report.html",
        title=f"{name}: {pair_count(len(done))}",
        count=len(done),
        panels=panels,
        legend=legend(predictor.info),
        failed=summary["failed"],
        facts={
            "trained on": predictor.info.dataset,
            "base": predictor.info.model.base,
            "fusion": predictor.info.model.fusion,
            "weights": summary["model"],
        },
    )


def _panel(predictor: Predictor, pair: Files, out: Path, shares: dict[str, float]) -> Panel:
    """What went in, and the classes over it; the note names the largest classes but the first."""
    info = predictor.info
    rgb, heat = read_images(pair, predictor.camera)
    thermal = None if heat is None else np.rint(255 * heat).astype(np.uint8)
    labels = np.asarray(open_image(out / "labels" / f"{pair.name}.png"))
    images = given({"rgb": rgb, "thermal": thermal})
    frame = Frame(pair.name, images, labels, labels, miou=float("nan"))
    largest = sorted(info.classes[1:], key=lambda name: -shares[name])[:3]
    return Panel(
        pair.name,
        ", ".join(f"{name} {100 * shares[name]:.1f} %" for name in largest if shares[name] >= SEEN),
        [
            *sensor_pictures(frame),
            labels_picture("prediction", frame, labels, info),
        ],
        classes_in(labels),
    )
