"""Which evaluated frames are kept for pictures: an even choice, the worst and the best."""

from __future__ import annotations

import heapq
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from samantic.config import IGNORE


class Frame(NamedTuple):
    """One evaluated frame, kept for pictures.

    Attributes:
        name: File stem.
        rgb: (H, W, 3) uint8.
        thermal: (H, W) uint8; None of a data set without thermal images.
        truth: (H, W) uint8 class ids, 255 ignored.
        prediction: (H, W) uint8 class ids.
        miou: Mean IoU of the classes present in this frame.
    """

    name: str
    rgb: NDArray[np.uint8]
    thermal: NDArray[np.uint8] | None
    truth: NDArray[np.uint8]
    prediction: NDArray[np.uint8]
    miou: float


def unlabelled_frame(
    name: str,
    rgb: NDArray[np.uint8] | None,
    thermal: NDArray[np.float32] | None,
    prediction: NDArray[np.uint8],
) -> Frame:
    """A frame without labels; where an image is missing, the other stands for it.

    Args:
        name: File stem.
        rgb: (H, W, 3).
        thermal: (H, W) in 0..1.
        prediction: (H, W) class ids.
    """
    gray = None if thermal is None else (255 * thermal).round().astype(np.uint8)
    if rgb is None and gray is not None:
        rgb = np.repeat(gray[..., None], 3, axis=2)
    elif gray is None and rgb is not None:
        gray = rgb.mean(axis=2).round().astype(np.uint8)
    if rgb is None or gray is None:
        raise ValueError(f"{name}: no image")
    truth = np.full(gray.shape, IGNORE, np.uint8)
    return Frame(name, rgb, gray, truth, prediction, float("nan"))


class Gallery:
    """Keeps a bounded number of frames, however long the split.

    Args:
        length: Frames of the split.
        even: Evenly spaced frames to keep.
        extremes: Worst and best frames by mIoU to keep, so many of each.
    """

    def __init__(self, length: int, even: int, extremes: int = 0) -> None:
        self.places = set(np.linspace(0, length - 1, min(even, length)).round().astype(int))
        self.extremes = extremes
        self.even: dict[int, Frame] = {}
        self.worst: list[tuple[float, int, Frame]] = []
        self.best: list[tuple[float, int, Frame]] = []

    def add(self, index: int, frame: Frame) -> None:
        """Keep the frame of a place in the split, or not."""
        if index in self.places:
            self.even[index] = frame
        for heap, rank in ((self.worst, -frame.miou), (self.best, frame.miou)):
            heapq.heappush(heap, (rank, -index, frame))  # of equal ranks the earlier one stays
            if len(heap) > self.extremes:
                heapq.heappop(heap)

    def frames(self) -> list[Frame]:
        """What was kept, in the order of the split."""
        kept = dict(self.even)
        kept |= {-place: frame for _, place, frame in (*self.worst, *self.best)}
        return [kept[index] for index in sorted(kept)]
