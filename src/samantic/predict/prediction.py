"""The segmentation of one pair: labels, confidence, and a picture of both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from samantic.files import replacing
from samantic.provenance import mark_png


@dataclass(frozen=True)
class Prediction:
    """The segmentation of one pair.

    Attributes:
        labels: (H, W) uint8, a class id per pixel.
        confidence: (H, W) float32 in 0..1, the probability of that class.
        classes: Class names by label id.
        palette: RGB colour of each class, 0..255.
        background: (H, W, 3) uint8, the image that overlays are drawn on: RGB, or else thermal.
        probabilities: (K, H, W) float32, of all classes; None unless `predict` was asked for them.
    """

    labels: NDArray[np.uint8]
    confidence: NDArray[np.float32]
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    background: NDArray[np.uint8]
    probabilities: NDArray[np.float32] | None = None

    def overlay(self, opacity: float = 0.5) -> Image.Image:
        """The classes in colour over the image; class 0 is left clear."""
        return overlay(self.background, self.labels, self.palette, opacity)

    def save(self, folder: str | Path, stem: str, made_from: str | None = None) -> None:
        """Write folder/labels/STEM.png (class ids) and folder/overlays/STEM.png.

        Args:
            folder: Folder to write to.
            stem: Name of the pair.
            made_from: What both files say that they were made from; see `provenance.mark_png`.
        """
        info = None if made_from is None else mark_png(made_from)
        for kind, image in (("overlays", self.overlay()), ("labels", Image.fromarray(self.labels))):
            with replacing(Path(folder) / kind / f"{stem}.png") as temporary:
                image.save(temporary, pnginfo=info)

    def shares(self) -> dict[str, float]:
        """The share of the pixels that each class takes."""
        return class_shares(self.labels, self.classes)


def overlay(
    background: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    palette: tuple[tuple[int, int, int], ...],
    opacity: float = 0.5,
) -> Image.Image:
    """Blend class colours over an image; class 0 and ignored pixels are left clear.

    Args:
        background: (H, W, 3) uint8.
        labels: (H, W) uint8.
        palette: RGB colour of each class, 0..255.
        opacity: Share of the colour, 0..1.
    """
    colours = np.zeros((256, 3), np.float32)
    colours[: len(palette)] = palette
    clear = (labels == 0) | (labels >= len(palette))
    share = np.where(clear, 0.0, opacity)[..., None].astype(np.float32)
    blended = (1 - share) * background + share * colours[labels]
    return Image.fromarray(blended.round().astype(np.uint8))


def class_shares(labels: NDArray[np.uint8], classes: tuple[str, ...]) -> dict[str, float]:
    """The share of the pixels of (H, W) labels that each class takes."""
    counts = np.bincount(labels.ravel(), minlength=len(classes))
    return {name: float(counts[i] / labels.size) for i, name in enumerate(classes)}
