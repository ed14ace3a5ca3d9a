"""The page of a folder's predictions without ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samantic.data.image_files import open_image
from samantic.data.lists import even_places
from samantic.data.samples import Files, read_images
from samantic.data.sensors import given, noun
from samantic.measure.gallery import Frame
from samantic.measure.tables import pair_count
from samantic.predict.asking import PairPredictor
from samantic.predict.domain import unlike, warning
from samantic.predict.saving import KINDS
from samantic.progress import progress
from samantic.report.pages import legend, render
from samantic.report.pictures import (
    UNLIKE,
    Panel,
    classes_in,
    confidence_pictures,
    labels_picture,
    picture,
    sensor_pictures,
)

MOST = 40
"""Largest number of pairs that are shown, evenly spaced."""

SEEN = 0.0005
"""Smallest share of the pixels of a class that is named."""


def write_predictions(
    out: Path, name: str, predictor: PairPredictor, files: list[Files], summary: dict[str, Any]
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
    sensors = files[0].images
    shown = [done[place] for place in even_places(len(done), MOST)]
    panels = [
        _panel(predictor, pair, out, summary["frames"][pair.name])
        for pair in progress(shown, "report", noun(sensors))
    ]
    confidence = {pair.name: summary["frames"][pair.name]["confidence"] for pair in done}
    seen = predictor.info.confidence
    render(
        "predictions.html",
        out / "report.html",
        title=f"{name}: {pair_count(len(done), sensors)}",
        noun=noun(sensors),
        count=len(done),
        panels=panels,
        legend=legend(predictor.info),
        failed=summary["failed"],
        warning=warning(confidence, seen, unlike(confidence, seen)),
        facts={
            "trained on": predictor.info.dataset,
            "base": predictor.info.model.base,
            "fusion": predictor.info.model.fusion,
            "weights": summary["model"],
        },
    )


def _panel(predictor: PairPredictor, pair: Files, out: Path, about: dict[str, Any]) -> Panel:
    """The images and saved files of a pair; the note names the largest classes but the first."""
    info, shares = predictor.info, about["shares"]
    rgb, heat = read_images(pair, predictor.camera)
    thermal = None if heat is None else np.rint(255 * heat).astype(np.uint8)
    images = given({"rgb": rgb, "thermal": thermal})
    labels, confidence = (_saved(kind, out, pair.name) for kind in ("labels", "confidence"))
    size = next(iter(images.values())).shape[:2]
    ids = np.zeros(size, np.uint8) if labels is None else labels
    frame = Frame(pair.name, images, ids, ids, float("nan"), confidence)
    pictures = [*sensor_pictures(frame)]
    if labels is not None:
        pictures.append(labels_picture("prediction", frame, labels, info))
    elif (drawn := _saved("overlay", out, pair.name)) is not None:
        pictures.append(picture("prediction", drawn))
    largest = sorted(info.classes[1:], key=lambda name: -shares[name])[:3]
    notes = [f"{name} {100 * shares[name]:.1f} %" for name in largest if shares[name] >= SEEN]
    if unlike({pair.name: about["confidence"]}, info.confidence):
        notes.append(UNLIKE)
    return Panel(
        pair.name,
        ", ".join(notes),
        [*pictures, *confidence_pictures(frame)],
        classes_in(ids),
    )


def _saved(kind: str, out: Path, name: str) -> NDArray[np.uint8] | None:
    """The pixels of a saved file of a pair; None if it was not saved."""
    path = KINDS[kind].path(out, name)
    return open_image(path) if path.exists() else None
