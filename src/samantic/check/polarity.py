"""Whether hot is bright or dark in thermal images, estimated with the shipped model `nano`.

`nano` predicts RGB alone, thermal alone, and inverted thermal alone. Its prediction from RGB serves
as ground truth: the polarity whose prediction agrees more is the right one. The measure is the mean
log-likelihood of RGB's probabilities under thermal's, minus the same for inverted thermal. It
counts if its mean over the pairs is four standard errors from zero, and if thermal's own confidence
has the same sign. `nano` was trained on streets and may be undecided on other scenes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from samantic.config.scaling import Scaling
from samantic.data.camera import Camera
from samantic.data.lists import even_places
from samantic.data.samples import Files, read_pair
from samantic.errors import InputError
from samantic.predict.prediction import Prediction
from samantic.predict.predictor import Predictor, load

FRAMES = 16
"""Number of pairs, evenly spaced, that are used."""

FEWEST = 6
"""Smallest number of pairs for an estimate."""

SIDE = 240
"""Short side in pixels at which the network sees them."""

SMALLEST = 120
"""Short side in pixels below which images are not used."""

SURE = 4.0
"""Number of standard errors from zero for a decision."""

Hot = Literal["bright", "dark", "unknown"]


class Polarity(NamedTuple):
    """The estimate for a split.

    Attributes:
        hot: How hot objects look in thermal images after scaling.
        deviations: Distance from zero in standard errors; positive for bright.
        pairs: Number of pairs that were used.
    """

    hot: Hot = "unknown"
    deviations: float = 0.0
    pairs: int = 0

    @property
    def doubt(self) -> str:
        """Why it is not known; "" if it is, or if nothing was asked."""
        if self.hot != "unknown" or not self.pairs:
            return ""
        if self.pairs < FEWEST:
            return f"{self.pairs} usable pairs, {FEWEST} are needed"
        return f"nano sees too little in {self.pairs} pairs"


UNASKED = Polarity()


def estimate_polarity(files: Sequence[Files], camera: Camera) -> Polarity:
    """Estimate whether hot is bright, from pairs with both images.

    Args:
        files: The pairs.
        camera: Its rig is applied, and images are inverted if it says that hot is dark.
    """
    if len(files) < FEWEST:
        return UNASKED
    chosen = [files[place] for place in even_places(len(files), FRAMES)]
    model: Predictor | None = None
    found = []
    for pair in chosen:
        try:
            rgb, raw = read_pair(pair, camera)
            if rgb is None or raw is None or min(rgb.shape[:2]) < SMALLEST:
                continue
            kind: Literal["8-bit", "frame"] = "8-bit" if raw.dtype == np.uint8 else "frame"
            scaling = Scaling(kind, inverted=camera.scaling.inverted)
            heat = camera._replace(scaling=scaling).see(raw, rgb)
        except InputError:  # the check itself reports it
            continue
        model = model or load("nano", size=SIDE)
        found.append(preference(model, rgb, np.rint(255 * heat).astype(np.uint8)))
    return judged(found)


def preference(
    model: Predictor, rgb: NDArray[np.uint8], gray: NDArray[np.uint8]
) -> tuple[float, float]:
    """By how much thermal agrees with RGB better, and is more confident, than inverted thermal."""
    expected = _probabilities(model.predict(rgb, probabilities=True))
    ways = (gray, 255 - gray)
    both = [_probabilities(model.predict(None, way, probabilities=True)) for way in ways]
    likely = [float((expected * np.log(p + 1e-4)).sum(axis=0).mean()) for p in both]
    sure = [float(p.max(axis=0).mean()) for p in both]
    return likely[0] - likely[1], sure[0] - sure[1]


def judged(found: Sequence[tuple[float, float]]) -> Polarity:
    """The decision from several pairs."""
    if len(found) < FEWEST:
        return Polarity(pairs=len(found))
    likely, sure = np.array(found).T
    deviations = float(likely.mean() / max(likely.std(ddof=1) / np.sqrt(len(likely)), 1e-9))
    hot: Hot = "unknown"
    if abs(deviations) >= SURE and deviations * sure.mean() > 0:
        hot = "bright" if deviations > 0 else "dark"
    return Polarity(hot, deviations, len(found))


def _probabilities(answer: Prediction) -> NDArray[np.floating]:
    assert answer.probabilities is not None  # noqa: S101  # they were requested
    return answer.probabilities
