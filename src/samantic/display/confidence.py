"""Confidence as an image: dark where it is low, bright where it is high."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STOPS = ((0, 32, 77), (66, 78, 108), (124, 123, 120), (187, 172, 105), (255, 234, 70))
"""Colours of cividis (Nuñez et al. 2018) from 0 to 1; it looks alike in all kinds of colour
vision."""


def confidence_levels(confidence: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Confidence (H, W) in 0..1 as gray levels; 255 is 1."""
    levels: NDArray[np.uint8] = (255 * confidence.clip(0, 1)).round().astype(np.uint8)
    return levels


def confidence_colours(confidence: NDArray[np.floating] | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Colours (H, W, 3) of confidence (H, W), in 0..1 or, as uint8, in 0..255."""
    levels = confidence if confidence.dtype == np.uint8 else 255 * np.clip(confidence, 0, 1)
    places = np.linspace(0, 255, len(STOPS))
    table = np.stack([np.interp(np.arange(256), places, part) for part in zip(*STOPS, strict=True)])
    colours: NDArray[np.uint8] = table.T.round().astype(np.uint8)[levels.astype(np.uint8)]
    return colours
