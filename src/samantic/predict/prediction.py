"""The segmentation of one pair: labels, confidence, overlays and instances."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from samantic.data.rig import Rig
from samantic.data.thermal import RawThermal
from samantic.display.ground import Ground, ground_of
from samantic.display.legend import with_legend
from samantic.display.overlay import OPACITY, overlay
from samantic.errors import InputError
from samantic.predict.contours import contours
from samantic.predict.exchange import coco, detections
from samantic.predict.instances import Instance, find_instances
from samantic.predict.saving import USUAL, Look, save_prediction
from samantic.predict.selection import Threshold, class_id, selection_of

if TYPE_CHECKING:
    import supervision


@dataclass(frozen=True, repr=False)
class Prediction:
    """The segmentation of one pair.

    Attributes:
        labels: (H, W) uint8, a class id per pixel; 255 is unknown, see `select`.
        confidence: (H, W) float32 in 0..1, the probability of that class.
        classes: Class names by label id.
        palette: RGB colour of each class in the data set's own files, 0..255. Overlays use other
            colours, see `display.palette`.
        background: (H, W, 3) uint8: RGB, or thermal if there is no RGB.
        kept: (K, H, W) float32, probabilities of all classes; None unless they were requested.
        images: uint8 image of each sensor that was given, warped to RGB's pixels, for overlays.
        raw: (h, w) thermal values as the camera gave them; None without thermal.
        rig: How the thermal camera's pixels map to those of `labels`; None if they are the same.
        again: Runs the model on the same pair for the probabilities, if they were not kept.
        seconds: Time from images in memory to labels; for a batch, the pair's share.
        cameras: State of each camera, one of `predict.health.STATES`; empty if cameras are not
            watched.
    """

    labels: NDArray[np.uint8]
    confidence: NDArray[np.float32]
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    background: NDArray[np.uint8]
    kept: NDArray[np.float32] | None = None
    images: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    raw: RawThermal | None = None
    rig: Rig | None = None
    again: Callable[[], NDArray[np.float32]] | None = field(default=None, compare=False)
    seconds: float = 0.0
    cameras: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def probabilities(self) -> NDArray[np.float32]:
        """Probabilities (K, H, W) float32 of all classes.

        If `predict` was not asked to keep them, the model runs once more.

        Raises:
            InputError: The prediction has no model, for example after pickling.
        """
        if self.kept is not None:
            return self.kept
        if self.again is None:
            raise InputError("probabilities were not kept; predict with probabilities=True")
        return self.again()

    @cached_property
    def thermal(self) -> NDArray[np.float32] | None:
        """Thermal values (H, W) in the camera's own unit, on the pixels of `labels`.

        NaN where the thermal camera sees nothing; None without a thermal image.
        """
        if self.raw is None:
            return None
        values = self.raw.astype(np.float32)
        if self.rig is None:
            return values
        size = self.labels.shape[0], self.labels.shape[1]
        seen = self.rig.warp(np.ones_like(values), size) > 1 - 1e-5
        return np.where(seen, self.rig.warp(values, size), np.float32(np.nan))

    def mask(self, name: str | int) -> NDArray[np.bool_]:
        """Mask (H, W) of the pixels of a class, by its name or id.

        Raises:
            InputError: There is no such class.
        """
        found: NDArray[np.bool_] = self.labels == class_id(name, self.classes)
        return found

    def contours(self, name: str | int) -> list[NDArray[np.int32]]:
        """The outlines of a class as polygons (n, 2) of x and y; see `predict.contours`.

        Raises:
            InputError: There is no such class.
        """
        return contours(self.mask(name))

    def instances(
        self, classes: Iterable[str | int] | None = None, *, min_area: int = 1
    ) -> list[Instance]:
        """The connected regions, the largest first: class, box, area, confidence, temperature.

        Args:
            classes: Names or ids; None for all but class 0.
            min_area: Regions of fewer pixels are left out.

        Raises:
            InputError: There is no such class.
        """
        names = [classes] if isinstance(classes, str) else classes
        there = np.flatnonzero(np.bincount(self.labels.ravel(), minlength=256))
        known = range(1, len(self.classes))
        wanted = known if names is None else [class_id(name, self.classes) for name in names]
        ids = [label for label in dict.fromkeys(wanted) if label in there]
        return find_instances(
            self.labels, self.confidence, self.thermal, self.classes, ids, min_area
        )

    def to_supervision(
        self, classes: Iterable[str | int] | None = None, *, min_area: int = 1
    ) -> supervision.Detections:
        """Convert the instances to detections of supervision, for its annotators and trackers.

        `data` holds `class_name` and `thermal` (the mean thermal value, NaN without thermal).

        Raises:
            InputError: There is no such class, or supervision is not installed.
        """
        parts = self.instances(classes, min_area=min_area)
        height, width = self.labels.shape
        return detections(parts, height, width, {"seconds": self.seconds})

    def to_coco(
        self,
        classes: Iterable[str | int] | None = None,
        *,
        min_area: int = 1,
        image_id: int = 1,
        file_name: str = "",
    ) -> dict[str, Any]:
        """Convert the instances to COCO's format, with masks as compressed run lengths, for JSON.

        Category ids are label ids.

        Raises:
            InputError: There is no such class.
        """
        parts = self.instances(classes, min_area=min_area)
        height, width = self.labels.shape
        return coco(parts, height, width, self.classes, image_id, file_name)

    def select(
        self, only: Sequence[str] | None = None, threshold: Threshold | None = None
    ) -> Prediction:
        """A copy with 255 (unknown) where the class is not wanted, or its confidence is too low.

        Args:
            only: Names of the wanted classes; None for all.
            threshold: Smallest confidence in 0..1, for all classes or by name.

        Raises:
            InputError: There is no such class, or a threshold is not in 0..1.

        Example:
            >>> prediction.select(["person", "car"], {"person": 0.6}).shares()["person"]
            0.012
        """
        chosen = selection_of(self.classes, only, threshold)
        return replace(self, labels=chosen.labels(self.labels, self.confidence, self.classes))

    def __repr__(self) -> str:
        height, width = self.labels.shape
        found = sorted(self.shares().items(), key=lambda item: -item[1])
        named = ", ".join(f"{name} {100 * share:.1f} %" for name, share in found if share)
        return f"<Prediction of {width}x{height} pixels: {named}>"

    def _repr_png_(self) -> bytes:
        """The overlay as PNG, which a notebook shows."""
        file = io.BytesIO()
        self.overlay().save(file, "PNG")
        return file.getvalue()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"again": None}  # the model is not pickled with the prediction

    def overlay(
        self, opacity: float = OPACITY, *, ground: Ground = "auto", legend: bool = False
    ) -> Image.Image:
        """Draw the classes in colour over an image, with outlines; class 0 is not coloured.

        Args:
            opacity: Opacity of the colours, 0..1.
            ground: Image to draw on: `rgb`, `thermal`, `blend` (both), or `auto` (RGB, brightened
                if it is dark, with thermal where it stays dark).
            legend: Whether to add a strip below the image that names the classes.

        Raises:
            InputError: The image for `ground` was not given.
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
            made_from: Digest of the model, options and images, stored in PNGs; see
                `provenance.mark_png`.
            kinds: Files to write: `overlay`, `labels`, `confidence` (PNG, 255 is 1),
                `probabilities` (.npz, float16) and `contours` (JSON of polygons).
            ground: See `overlay`.
            legend: See `overlay`.

        Raises:
            InputError: There is no such kind or ground, or the prediction has neither the
                probabilities nor a model.
        """
        look = Look(ground, legend)
        save_prediction(self, Path(folder), stem, made_from, kinds, look)

    def shares(self) -> dict[str, float]:
        """The share of the pixels of each class, by name."""
        return class_shares(self.labels, self.classes)


def class_shares(labels: NDArray[np.uint8], classes: tuple[str, ...]) -> dict[str, float]:
    """The share of the pixels of (H, W) labels of each class, by name."""
    counts = np.bincount(labels.ravel(), minlength=len(classes))
    return {name: float(counts[i] / labels.size) for i, name in enumerate(classes)}
