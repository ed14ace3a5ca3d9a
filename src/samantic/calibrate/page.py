"""The page that shows a rig and lets the user correct it by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from samantic.calibrate.geometry import Floats, normalised
from samantic.calibrate.pairs import RigPairs
from samantic.config.scaling import Scaling
from samantic.data.lists import even_places
from samantic.data.thermal import scale_thermal
from samantic.report.pages import render
from samantic.report.pictures import picture

SHOWN = 6
"""Largest number of pairs, evenly spaced."""

WIDEST = 960
"""Width in pixels of the pictures in the page."""


def write_overlay(
    path: Path, pairs: RigPairs, matrix: Floats, facts: list[str], doubt: bool
) -> None:
    """Write a page with thermal over RGB, four corners to drag, and the file to download.

    Args:
        path: The page.
        pairs: Pairs of which some are shown.
        matrix: Initial homography from thermal pixels to RGB pixels.
        facts: Sentences on how it was obtained.
        doubt: Whether the first of them is a warning.
    """
    shown = []
    for place in even_places(len(pairs.names), SHOWN):
        heat = scale_thermal(pairs.thermal[place], Scaling("frame"))
        images = {"rgb": pairs.rgb[place], "thermal": (255 * heat).astype(np.uint8)}
        uris = {name: picture(name, pixels, WIDEST).uri for name, pixels in images.items()}
        shown.append({"name": pairs.names[place], **uris})
    render(
        "calibrate.html",
        path,
        title="Calibration of a rig",
        facts=facts,
        doubt=doubt,
        pairs=shown,
        rgb=pairs.rgb[0].shape[:2],
        thermal=pairs.thermal[0].shape[:2],
        matrix=normalised(matrix).tolist(),
    )
