"""SAM2 bases by name: built-in random ones, and those that come with the package."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Shape(NamedTuple):
    """Sizes of a SAM2 architecture, one per stage of the trunk unless said otherwise.

    `width` is the width of the feature pyramid and of the mask decoder. `global_blocks` are block
    numbers counted over all stages; the first block of a stage cannot be global.
    """

    widths: tuple[int, int, int, int]
    blocks: tuple[int, int, int, int]
    windows: tuple[int, int, int, int]
    global_blocks: tuple[int, ...]
    width: int


RANDOM_BASES = {
    "random-nano": Shape((48, 96, 192, 256), (1, 1, 2, 1), (8, 4, 8, 4), (3,), 128),
    "random-mini": Shape((32, 64, 96, 128), (1, 1, 2, 1), (8, 4, 8, 4), (3,), 96),
    "random-micro": Shape((16, 32, 64, 96), (1, 1, 2, 1), (8, 4, 8, 4), (3,), 32),
}
"""Architectures of SAM2's layout with random weights: nano to train from scratch on real data
(about 4 M parameters as SARTM), mini for the demo (about 1.5 M), micro for tests (below 0.5 M)."""


LITE, LITE_WIDTH = "efficientnet-lite0", 128
"""A trunk with ImageNet weights; and the width of its random neck and decoder. sam-nano was made
from this base."""

SHIPPED_BASES = {"sam-nano": Path(__file__).parents[2] / "weights" / "sam-nano"}
"""Bases that come with the package."""


def is_random(base: str) -> bool:
    """Whether `base` names a built-in architecture that is untrained, or trained only in part."""
    return base in RANDOM_BASES or base == LITE
