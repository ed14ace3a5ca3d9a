"""The predictions that an earlier, interrupted run left in a folder and that are still valid."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from samantic.data.image_files import open_image
from samantic.data.samples import Files
from samantic.data.sensors import noun
from samantic.errors import InputError
from samantic.predict.ahead import THREADS, ahead
from samantic.predict.asking import PairPredictor
from samantic.predict.prediction import class_shares
from samantic.predict.saving import CONFIDENCE, KINDS, Look
from samantic.progress import progress
from samantic.provenance import digest, files_digest, png_mark

Frame = dict[str, Any]
"""The summary of a pair: its size, class shares and mean confidence."""


class Job(NamedTuple):
    """The settings with which a folder is predicted.

    Attributes:
        predictor: The model.
        out: The folder to write to.
        made: The model's fingerprint and its options.
        kinds: Kinds of file that are written for each pair.
        look: How overlays are drawn.
    """

    predictor: PairPredictor
    out: Path
    made: dict[str, Any]
    kinds: tuple[str, ...]
    look: Look


def kept(job: Job, files: list[Files]) -> dict[str, Any]:
    """Summaries of the pairs whose files are complete and made from the same images and settings.

    Files that were made from other images are removed, because the new images may turn out
    unreadable.
    """
    old = [pair for pair in files if any(path.exists() for path in _paths(job, pair).values())]
    if not old:
        return {}
    found = ahead(partial(_kept, job), old, THREADS)
    known = progress(found, "compare", noun(files[0].images), total=len(old))
    return {pair.name: frame for pair, frame in zip(old, known, strict=True) if frame is not None}


def mark_of(pair: Files, made: dict[str, Any]) -> str:
    """Digest of everything that determines a prediction: model, options and the images' content."""
    return files_digest(pair.paths, digest(made))


def frame_of(labels: NDArray[np.uint8], confidence: float, classes: tuple[str, ...]) -> Frame:
    """The summary of labels (H, W)."""
    return {
        "size": list(labels.shape),
        "shares": class_shares(labels, classes),
        "confidence": confidence,
    }


def _paths(job: Job, pair: Files) -> dict[str, Path]:
    """The path of each kind of file of a pair."""
    return {name: kind.path(job.out, pair.name) for name, kind in KINDS.items()}


def _kept(job: Job, pair: Files) -> Frame | None:
    """Summary of an earlier prediction; None where a file is missing, damaged or out of date."""
    try:
        mark = mark_of(pair, job.made)
    except InputError:
        return None
    _forget(job, pair, mark)
    paths = {name: path for name, path in _paths(job, pair).items() if name in job.kinds}
    if "labels" not in paths:
        return None
    try:
        for name, path in paths.items():
            if path.suffix != ".png":
                if not KINDS[name].whole(path):
                    return None
            elif not path.is_file():
                return None
            else:  # its mark is right: `_forget` removed files with another mark
                pixels = open_image(path)
    except InputError:  # cut off: it is written again
        return None
    confidence = png_mark(paths["labels"], CONFIDENCE.encode())
    if not confidence:
        return None
    return frame_of(pixels, float(confidence), job.predictor.info.classes)  # labels are last


def _forget(job: Job, pair: Files, mark: str) -> None:
    """Remove the files that were made from other images.

    Files other than PNG bear no mark. They are as old as the labels, which are written after them.
    """
    paths = _paths(job, pair)
    current = png_mark(paths["labels"]) == mark
    for path in paths.values():
        if not (png_mark(path) == mark if path.suffix == ".png" else current):
            path.unlink(missing_ok=True)
