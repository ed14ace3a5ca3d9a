"""The frames of an evaluation that are kept for pictures: evenly spaced, worst and best ones."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from math import isnan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from samantic.data.lists import even_places


class Frame(NamedTuple):
    """An evaluated frame for pictures.

    Attributes:
        name: File stem.
        images: uint8 image of each sensor that the frame has, (H, W, 3) or (H, W), for display.
        truth: (H, W) uint8 class ids, 255 ignored.
        prediction: (H, W) uint8 class ids.
        miou: Mean IoU of the classes present in this frame; NaN if there are none.
        confidence: (H, W) uint8, 255 for a probability of 1; None if it was not kept.
    """

    name: str
    images: Mapping[str, NDArray[np.uint8]]
    truth: NDArray[np.uint8]
    prediction: NDArray[np.uint8]
    miou: float
    confidence: NDArray[np.uint8] | None = None


class Gallery:
    """Keeps a bounded number of frames, whatever the length of the split.

    Args:
        length: Number of frames of the split.
        even: Number of evenly spaced frames to keep.
        extremes: Number of worst, and of best, frames by mIoU to keep.
    """

    def __init__(self, length: int, even: int, extremes: int = 0) -> None:
        self.places = set(even_places(length, even))
        self.extremes = extremes
        self.even: dict[int, Frame] = {}
        self.worst: list[tuple[float, int, Frame]] = []
        self.best: list[tuple[float, int, Frame]] = []

    def add(self, index: int, frame: Frame) -> None:
        """Keep a frame or drop it; a frame without labels is never among the worst or best."""
        if index in self.places:
            self.even[index] = frame
        if isnan(frame.miou):
            return
        for heap, rank in ((self.worst, -frame.miou), (self.best, frame.miou)):
            heapq.heappush(heap, (rank, -index, frame))  # of equal ranks, the earlier frame stays
            if len(heap) > self.extremes:
                heapq.heappop(heap)

    def frames(self) -> list[Frame]:
        """The kept frames, in the order of the split."""
        kept = dict(self.even)
        kept |= {-place: frame for _, place, frame in (*self.worst, *self.best)}
        return [kept[index] for index in sorted(kept)]
