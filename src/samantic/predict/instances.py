"""The connected regions of a prediction as instances."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from samantic.predict.selection import UNKNOWN


@dataclass(frozen=True)
class Instance:
    """A connected region of one class. Objects that touch are one instance.

    Attributes:
        name: Name of its class.
        label: Id of its class.
        box: Left, top, right and bottom in pixels; right and bottom lie one beyond the last pixel.
        area: Number of pixels.
        confidence: Mean over its pixels, 0..1.
        thermal: Mean thermal value over its pixels in the unit of the thermal image (gray levels,
            counts, kelvin, ...); None where no thermal image covers it.
        mask: (bottom - top, right - left) bool, its pixels in the box.
    """

    name: str
    label: int
    box: tuple[int, int, int, int]
    area: int
    confidence: float
    thermal: float | None
    mask: NDArray[np.bool_] = field(repr=False)

    def full_mask(self, height: int, width: int) -> NDArray[np.bool_]:
        """Mask of its pixels in the whole image, (height, width) bool."""
        left, top, right, bottom = self.box
        full = np.zeros((height, width), np.bool_)
        full[top:bottom, left:right] = self.mask
        return full


def find_instances(
    labels: NDArray[np.uint8],
    confidence: NDArray[np.float32],
    thermal: NDArray[np.float32] | None,
    classes: tuple[str, ...],
    wanted: Iterable[int],
    min_area: int = 1,
) -> list[Instance]:
    """Connected regions (8 neighbours) of some classes, the largest first.

    Args:
        labels: (H, W) class ids.
        confidence: (H, W).
        thermal: (H, W), NaN where unknown; or None.
        classes: Names by label id.
        wanted: Label ids.
        min_area: Regions with fewer pixels are left out.
    """
    found = [
        part
        for label in wanted
        if label != UNKNOWN
        for part in _parts(labels == label, confidence, thermal, classes[label], label, min_area)
    ]
    return sorted(found, key=lambda part: -part.area)


def _parts(
    here: NDArray[np.bool_],
    confidence: NDArray[np.float32],
    thermal: NDArray[np.float32] | None,
    name: str,
    label: int,
    min_area: int,
) -> Iterator[Instance]:
    from scipy import ndimage  # a slow import

    regions, _ = ndimage.label(here, np.ones((3, 3)))
    areas = np.bincount(regions.ravel())
    for number, place in enumerate(ndimage.find_objects(regions), 1):
        if areas[number] < min_area:
            continue
        rows, columns = place
        mask = regions[place] == number
        heat = None if thermal is None else thermal[place][mask]
        heat = None if heat is None else heat[~np.isnan(heat)]
        yield Instance(
            name,
            label,
            (columns.start, rows.start, columns.stop, rows.stop),
            int(areas[number]),
            float(confidence[place][mask].mean(dtype=np.float64)),
            float(heat.mean(dtype=np.float64)) if heat is not None and heat.size else None,
            mask,
        )
