"""Which evaluated frames are kept for pictures: an even choice, the worst and the best."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from math import isnan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from samantic.data.lists import even_places


class Frame(NamedTuple):
    """One evaluated frame, kept for pictures.

    Attributes:
        name: File stem.
        images: uint8 of each sensor that is there, (H, W, 3) or (H, W), as it is drawn.
        truth: (H, W) uint8 class ids, 255 ignored.
        prediction: (H, W) uint8 class ids.
        miou: Mean IoU of the classes present in this frame; NaN without any.
        confidence: (H, W) uint8, 255 for a probability of 1; None where it was not kept.
    """

    name: str
    images: Mapping[str, NDArray[np.uint8]]
    truth: NDArray[np.uint8]
    prediction: NDArray[np.uint8]
    miou: float
    confidence: NDArray[np.uint8] | None = None


class Gallery:
    """Keeps a bounded number of frames, however long the split.

    Args:
        length: Frames of the split.
        even: Evenly spaced frames to keep.
        extremes: Worst and best frames by mIoU to keep, so many of each.
    """

    def __init__(self, length: int, even: int, extremes: int = 0) -> None:
        self.places = set(even_places(length, even))
        self.extremes = extremes
        self.even: dict[int, Frame] = {}
        self.worst: list[tuple[float, int, Frame]] = []
        self.best: list[tuple[float, int, Frame]] = []

    def add(self, index: int, frame: Frame) -> None:
        """Keep the frame of a place in the split, or not; without a label it is no extreme."""
        if index in self.places:
            self.even[index] = frame
        if isnan(frame.miou):
            return
        for heap, rank in ((self.worst, -frame.miou), (self.best, frame.miou)):
            heapq.heappush(heap, (rank, -index, frame))  # of equal ranks the earlier one stays
            if len(heap) > self.extremes:
                heapq.heappop(heap)

    def frames(self) -> list[Frame]:
        """What was kept, in the order of the split."""
        kept = dict(self.even)
        kept |= {-place: frame for _, place, frame in (*self.worst, *self.best)}
        return [kept[index] for index in sorted(kept)]
