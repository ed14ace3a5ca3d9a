"""The pairs of a calibration, converted to gray."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from samantic.data.camera import ALIGNED_8_BIT
from samantic.data.lists import even_places
from samantic.data.samples import Files, read_pair
from samantic.data.thermal import clean
from samantic.errors import InputError
from samantic.progress import progress


class RigPairs(NamedTuple):
    """Pairs of one rig.

    Attributes:
        names: Names of the pairs.
        rgb: (H, W, 3) uint8 each, of one size.
        thermal: (h, w) each, of one size, without bad pixels.
    """

    names: list[str]
    rgb: list[NDArray[np.uint8]]
    thermal: list[NDArray[np.float32]]

    @property
    def gray(self) -> list[NDArray[np.float32]]:
        """RGB's luminance, (H, W) each."""
        weights = np.array([0.299, 0.587, 0.114], np.float32)
        return [image @ weights for image in self.rgb]


def read_rig_pairs(files: Sequence[Files], most: int) -> RigPairs:
    """Read evenly spaced pairs.

    Args:
        files: All pairs.
        most: Largest number of pairs that are read.

    Raises:
        InputError: A file is broken, or its size differs from the first's, so that it belongs to
            another rig.
    """
    chosen = [files[place] for place in even_places(len(files), most)]
    found = RigPairs([], [], [])
    for pair in progress(chosen, "read", "pairs"):
        rgb, heat = read_pair(pair, ALIGNED_8_BIT)
        if rgb is None or heat is None:
            raise InputError(f"{pair.name}: a rig needs an RGB and a thermal image")
        for path, image, before in (
            (pair.rgb, rgb, found.rgb),
            (pair.thermal, heat, found.thermal),
        ):
            if before and image.shape[:2] != before[0].shape[:2]:
                (h, w), (tall, wide) = image.shape[:2], before[0].shape[:2]
                raise InputError(
                    f"{path}: {w}x{h} pixels, but {chosen[0].name} has {wide}x{tall}; a rig has "
                    "one size of each camera, so calibrate the others by themselves"
                )
        found.names.append(pair.name)
        found.rgb.append(rgb)
        found.thermal.append(clean(heat)[0].astype(np.float32))
    return found
