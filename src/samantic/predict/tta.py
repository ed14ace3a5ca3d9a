"""Test-time augmentation: the answers to several views of an image are averaged."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from samantic.config.networks import TestTime
from samantic.config.options import quoted
from samantic.errors import InputError


class View(NamedTuple):
    """A view of an image.

    Attributes:
        scale: Resize factor, in addition to the model's own.
        mirrored: Whether the view is mirrored left to right.
    """

    scale: float = 1.0
    mirrored: bool = False

    def turn(self, maps: Tensor) -> Tensor:
        """Mirror images or maps (..., W) if the view is mirrored; twice restores the original."""
        return maps.flip(-1) if self.mirrored else maps


LARGER = 1.25
"""Resize factor of the second scale."""

TTA: dict[TestTime, tuple[View, ...]] = {
    "flip": (View(), View(mirrored=True)),
    "scales": (View(), View(LARGER)),
    "all": (View(), View(mirrored=True), View(LARGER), View(LARGER, mirrored=True)),
}
"""The views of each kind of test-time augmentation; the first is the unchanged image."""


def views_of(tta: TestTime | None) -> tuple[View, ...]:
    """The views of a kind of test-time augmentation; None means only the unchanged image.

    Raises:
        InputError: There is no such kind.
    """
    if tta is None:
        return (View(),)
    if tta not in TTA:
        raise InputError(f"tta is {quoted(tta)}; give one of {', '.join(TTA)}, or None")
    return TTA[tta]
