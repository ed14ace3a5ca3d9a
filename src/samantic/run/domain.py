"""The range of a model's confidence on its own validation split, stored with the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.special import expit, logit, stdtrit

from samantic.data.lists import even_places
from samantic.data.pairs import PairedFolder
from samantic.data.samples import Files, read_pair
from samantic.predict.info import CONFIG
from samantic.predict.model_folder import store_info
from samantic.predict.prediction import Prediction
from samantic.predict.predictor import Predictor, load

FRAMES = 40
"""Largest number of frames, evenly spaced, that are predicted for the range."""


def store_confidence(folder: Path, splits: dict[str, PairedFolder]) -> None:
    """Store the range of a frame's mean confidence on the model's own kind of data in config.json.

    The range is measured on the validation split, or on the training split if there is none: a
    model is more confident on its training images than on new ones. With fewer than two frames
    nothing is stored.

    Args:
        folder: Run folder.
        splits: `train`, and `val` if there is one.
    """
    if not (folder / "model" / CONFIG).is_file():
        return  # the run was stopped before a model was saved
    predictor = load(folder)
    found = confidence_range(predictor, splits.get("val", splits["train"]).files)
    if found is not None and predictor.folder is not None:
        store_info(predictor.folder, replace(predictor.info, confidence=found))


def confidence_range(predictor: Predictor, files: Sequence[Files]) -> tuple[float, float] | None:
    """The range of the next frame's mean confidence, from `FRAMES` evenly spaced frames.

    Returns:
        Lowest and highest value; None if fewer than two frames can be predicted.
    """
    chosen = even_places(len(files), FRAMES)
    answers = predictor.predict_each(read_pair(files[p], predictor.camera) for p in chosen)
    means = [float(a.confidence.mean()) for a in answers if isinstance(a, Prediction)]
    return prediction_interval(means) if len(means) > 1 else None


def prediction_interval(means: Sequence[float]) -> tuple[float, float]:
    """95 % prediction interval for the next value, if log-odds are normally distributed.

    m +- t s sqrt(1 + 1/n) in log-odds, with mean m and standard deviation s of the n log-odds, and
    the 97.5 % quantile t of Student's distribution with n - 1 degrees of freedom.

    Args:
        means: n >= 2 values in 0..1.
    """
    odds = logit(np.clip(means, 1e-6, 1 - 1e-6))
    count = len(odds)
    reach = stdtrit(count - 1, 0.975) * odds.std(ddof=1) * np.sqrt(1 + 1 / count)
    return float(expit(odds.mean() - reach)), float(expit(odds.mean() + reach))
