"""Class colours over an image, with outlines that are visible on every background."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from samantic.display.palette import display_colours

INSIDE, OUTSIDE = 255, 0
"""Grey levels of the two lines of an outline. On any background, one of them has a contrast of 4.5
or more (WCAG 2)."""

OPACITY = 0.55
"""Opacity of the class colours."""

LINE = 720
"""Pixels of the shorter side for each pixel of an outline's width."""


def overlay(
    ground: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    classes: Sequence[str],
    opacity: float = OPACITY,
) -> Image.Image:
    """Blend class colours over an image and outline them, except class 0 and ignored pixels.

    Args:
        ground: (H, W, 3) uint8.
        labels: (H, W) uint8.
        classes: Class names by label id, which define the colours.
        opacity: Opacity of the colours, 0..1.
    """
    colours = np.zeros((256, 3), np.float32)
    colours[: len(classes)] = display_colours(classes)
    shown = np.where(labels < len(classes), labels, 0).astype(np.uint8)
    share = np.where(shown == 0, 0.0, opacity)[..., None].astype(np.float32)
    blended = ((1 - share) * ground + share * colours[shown]).round().astype(np.uint8)
    inside, outside = outlines(shown)
    blended[outside] = OUTSIDE
    blended[inside] = INSIDE
    return Image.fromarray(blended)


def outlines(labels: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The light and the dark line of each border, (H, W) each.

    Where two classes meet, the one with the larger id has the light line, the other the dark one.
    An object on class 0 therefore has a light line inside its border and a dark line around it.
    """
    size = 2 * (1 + min(labels.shape) // LINE) + 1
    ids = Image.fromarray(labels)
    inside = np.asarray(ids.filter(ImageFilter.MinFilter(size))) < labels
    outside = np.asarray(ids.filter(ImageFilter.MaxFilter(size))) > labels
    return inside, outside & ~inside
