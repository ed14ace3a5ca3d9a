"""Kinds of thermal values: the camera's gray levels, a sensor's counts, or temperatures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

import numpy as np

from samantic.config.scaling import Scaling
from samantic.data.thermal import RawThermal
from samantic.errors import InputError

Kind = Literal["agc", "counts", "kelvin", "celsius"]

MEANING: dict[Kind, str] = {
    "agc": "gray levels of 8 bits, the camera's own contrast",
    "counts": "whole numbers of 16 bits",
    "kelvin": "floats about 300",
    "celsius": "floats of an outdoor day's size",
}

WARMEST = 150.0
"""Smallest median at which floats are taken for kelvin. No scene has this median in degrees
Celsius, and none on Earth lies below it in kelvin."""

HOTTEST = 2500.0
"""Smallest median at which floats are taken for counts."""


def kind_of(raw: RawThermal) -> Kind:
    """The kind of a thermal image's values, by their type and median.

    16-bit integers are counts in any unit: hundredths of a kelvin and counts of an uncalibrated
    sensor look alike.
    """
    if raw.dtype == np.uint8:
        return "agc"
    if raw.dtype.kind != "f":
        return "counts"
    middle = float(np.nanmedian(np.where(np.isfinite(raw), raw, np.nan)))
    if not -WARMEST < middle < HOTTEST:
        return "counts"
    return "celsius" if middle < WARMEST else "kelvin"


def refuse_mixed(
    images: Iterable[tuple[str, RawThermal]], scaling: Scaling, where: str, option: str
) -> None:
    """Refuse thermal images of several kinds, since no single range fits them.

    Args:
        images: Thermal images with their names.
        scaling: How values become 0..1; `frame` scales each image by its own range and accepts all
            kinds.
        where: What to call the images in the error.
        option: The option that sets the scaling, for the error.

    Raises:
        InputError: There are several kinds, and the scaling is not `frame`.
    """
    if scaling.kind == "frame":
        return
    found: dict[Kind, list[str]] = {}
    for name, raw in images:
        found.setdefault(kind_of(raw), []).append(name)
    if len(found) > 1:
        raise InputError(f"{where}: {mixture(found)}; {CURE} ({option})")


CURE = "convert them to one kind, or scale each image by its own range, frame"


def mixture(found: dict[Kind, list[str]]) -> str:
    """Several kinds as a phrase, each with its number of files and its first file."""
    parts = [
        f"{kind} ({MEANING[kind]}; {len(found[kind])}, first {found[kind][0]})"
        for kind in get_args(Kind)
        if kind in found
    ]
    return f"thermal images of several kinds: {', '.join(parts)}"
