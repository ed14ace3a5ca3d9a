"""What a model's confidence is like on images of its own kind, stored with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from samantic.data.pairs import PairedFolder, read_pair
from samantic.predict.model_folder import store_info
from samantic.predict.prediction import Prediction
from samantic.predict.predictor import load

FRAMES = 40
"""At most so many frames are predicted for it, evenly chosen."""


def store_confidence(folder: Path, splits: dict[str, PairedFolder]) -> None:
    """Store the smallest and the largest mean confidence of a frame in a model's config.json.

    They are measured on the validation split, or on the training split where there is none: what a
    model has learnt by heart it is surer of than of the next image of the same kind.

    Args:
        folder: Run folder or model folder.
        splits: `train`, and `val` if there is one.
    """
    files = splits.get("val", splits["train"]).files
    chosen = np.unique(np.linspace(0, len(files) - 1, min(FRAMES, len(files))).round().astype(int))
    predictor = load(folder)
    answers = predictor.predict_each(read_pair(files[place]) for place in chosen)
    means = [float(a.confidence.mean()) for a in answers if isinstance(a, Prediction)]
    if means and predictor.folder is not None:
        store_info(predictor.folder, replace(predictor.info, confidence=(min(means), max(means))))
