"""Test-time augmentation: the network sees several views of an image; answers are averaged."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from samantic.config.networks import TestTime
from samantic.config.options import quoted
from samantic.errors import InputError


class View(NamedTuple):
    """How the network sees an image.

    Attributes:
        scale: Magnification, beside that which the model asks for.
        mirrored: Left and right change places.
    """

    scale: float = 1.0
    mirrored: bool = False

    def turn(self, maps: Tensor) -> Tensor:
        """Images or maps (..., W) as this view has them, and back."""
        return maps.flip(-1) if self.mirrored else maps


LARGER = 1.25
"""Magnification of the second scale."""

TTA: dict[TestTime, tuple[View, ...]] = {
    "flip": (View(), View(mirrored=True)),
    "scales": (View(), View(LARGER)),
    "all": (View(), View(mirrored=True), View(LARGER), View(LARGER, mirrored=True)),
}
"""The views of each kind of test-time augmentation; the first is the image as it is."""


def views_of(tta: TestTime | None) -> tuple[View, ...]:
    """The views of a kind of test-time augmentation; None is the image as it is.

    Raises:
        InputError: There is no such kind.
    """
    if tta is None:
        return (View(),)
    if tta not in TTA:
        raise InputError(f"tta is {quoted(tta)}; give one of {', '.join(TTA)}, or None")
    return TTA[tta]
