"""The segmentation of one pair: labels, confidence, and a picture of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from samantic.display.ground import Ground, ground_of
from samantic.display.legend import with_legend
from samantic.display.overlay import OPACITY, overlay
from samantic.predict.saving import USUAL, Look, save_prediction


@dataclass(frozen=True)
class Prediction:
    """The segmentation of one pair.

    Attributes:
        labels: (H, W) uint8, a class id per pixel.
        confidence: (H, W) float32 in 0..1, the probability of that class.
        classes: Class names by label id.
        palette: RGB colour of each class in the data set's own files, 0..255. Overlays have others,
            see `display.palette`.
        background: (H, W, 3) uint8, RGB, or else thermal.
        probabilities: (K, H, W) float32, of all classes; None unless `predict` was asked for them.
        images: uint8 of each sensor that was there, on RGB's pixels, for overlays.
    """

    labels: NDArray[np.uint8]
    confidence: NDArray[np.float32]
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    background: NDArray[np.uint8]
    probabilities: NDArray[np.float32] | None = None
    images: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)

    def overlay(
        self, opacity: float = OPACITY, *, ground: Ground = "auto", legend: bool = False
    ) -> Image.Image:
        """The classes in colour over an image, outlined; class 0 is left clear.

        Args:
            opacity: Share of the colour, 0..1.
            ground: What to draw on: `rgb`, `thermal`, `blend` (both), or `auto` (RGB, brightened
                by night, with thermal where it stays dark).
            legend: Whether to add a strip beneath that names the classes.

        Raises:
            InputError: The ground's image was not given.
        """
        images = self.images or {"rgb": self.background}
        picture = overlay(
            ground_of(images.get("rgb"), images.get("thermal"), ground),
            self.labels,
            self.classes,
            opacity,
        )
        return with_legend(picture, self.labels, self.classes) if legend else picture

    def save(
        self,
        folder: str | Path,
        stem: str,
        made_from: str | None = None,
        *,
        kinds: Sequence[str] = USUAL,
        ground: Ground = "auto",
        legend: bool = False,
    ) -> None:
        """Write folder/labels/STEM.png (class ids, with a palette) and folder/overlays/STEM.png.

        Args:
            folder: Folder to write to.
            stem: Name of the pair.
            made_from: What PNGs say that they were made from; see `provenance.mark_png`.
            kinds: What to write: `overlay`, `labels`, `confidence` (PNG, 255 is 1), `probabilities`
                (.npz, float16) and `contours` (JSON of polygons).
            ground: See `overlay`.
            legend: See `overlay`.

        Raises:
            InputError: There is no such kind or ground, or the probabilities were not kept.
        """
        look = Look(ground, legend)
        save_prediction(self, Path(folder), stem, made_from, kinds, look)

    def shares(self) -> dict[str, float]:
        """The share of the pixels that each class takes."""
        return class_shares(self.labels, self.classes)


def class_shares(labels: NDArray[np.uint8], classes: tuple[str, ...]) -> dict[str, float]:
    """The share of the pixels of (H, W) labels that each class takes."""
    counts = np.bincount(labels.ravel(), minlength=len(classes))
    return {name: float(counts[i] / labels.size) for i, name in enumerate(classes)}
