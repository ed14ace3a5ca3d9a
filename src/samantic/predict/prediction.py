"""The segmentation of one pair: labels, confidence, pictures of both, and the parts found."""

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
        palette: RGB colour of each class in the data set's own files, 0..255. Overlays have others,
            see `display.palette`.
        background: (H, W, 3) uint8, RGB, or else thermal.
        kept: (K, H, W) float32, probabilities of all classes; None where they were not asked for.
        images: uint8 of each sensor that was there, on RGB's pixels, for overlays.
        raw: (h, w) thermal values as the camera gave them; None without.
        rig: Where the thermal camera stood, if not on RGB's pixels.
        again: Asks the model about the same pair for the probabilities, where they were not kept.
        seconds: From images in memory to labels; of a batch, its share.
        cameras: How each camera was, of `predict.health.STATES`; empty where they are not watched.
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
        """(K, H, W) float32, of all classes.

        Where `predict` was not asked to keep them, the model is run once more.

        Raises:
            InputError: There is no model any more, as after pickling.
        """
        if self.kept is not None:
            return self.kept
        if self.again is None:
            raise InputError("probabilities were not kept; predict with probabilities=True")
        return self.again()

    @cached_property
    def thermal(self) -> NDArray[np.float32] | None:
        """(H, W) thermal values in the camera's own unit, on the pixels of `labels`.

        NaN where the thermal camera sees nothing; None without a thermal image.
        """
        if self.raw is None:
            return None
        values = self.raw.astype(np.float32)
        if self.rig is None or "rgb" not in self.images:
            return values
        size = self.labels.shape[0], self.labels.shape[1]
        seen = self.rig.warp(np.ones_like(values), size) > 1 - 1e-5
        return np.where(seen, self.rig.warp(values, size), np.float32(np.nan))

    def mask(self, name: str | int) -> NDArray[np.bool_]:
        """(H, W), the pixels of a class, by its name or id.

        Raises:
            InputError: There is no such class.
        """
        found: NDArray[np.bool_] = self.labels == class_id(name, self.classes)
        return found

    def contours(self, name: str | int) -> list[NDArray[np.int32]]:
        """The borders of a class as polygons (n, 2) of x and y; see `predict.contours`.

        Raises:
            InputError: There is no such class.
        """
        return contours(self.mask(name))

    def instances(
        self, classes: Iterable[str | int] | None = None, *, min_area: int = 1
    ) -> list[Instance]:
        """The connected parts, the largest first: class, box, area, confidence, temperature.

        Args:
            classes: Names or ids; None for all but class 0.
            min_area: Parts of fewer pixels are left out.

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
        """The instances as detections of supervision, for its annotators, trackers and filters.

        `data` holds `class_name` and `thermal` (the mean thermal value, NaN without).

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
        """The instances as COCO has them, with masks as compressed run lengths, for JSON.

        Ids of categories are label ids.

        Raises:
            InputError: There is no such class.
        """
        parts = self.instances(classes, min_area=min_area)
        height, width = self.labels.shape
        return coco(parts, height, width, self.classes, image_id, file_name)

    def select(
        self, only: Sequence[str] | None = None, threshold: Threshold | None = None
    ) -> Prediction:
        """The same with 255 (unknown) where the class is not wanted, or not sure enough.

        Args:
            only: Names of the wanted classes; None for all.
            threshold: Least confidence in 0..1, of all classes or by name.

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
        """The overlay, which a notebook shows."""
        file = io.BytesIO()
        self.overlay().save(file, "PNG")
        return file.getvalue()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"again": None}  # the model does not travel with its answers

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
