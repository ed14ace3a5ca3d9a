"""Label images whose colours stand for classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from samantic.convert.colours import UNKNOWN, Colours, read_colours
from samantic.convert.export import VOID, Drawing
from samantic.convert.regions import Mask, Patch
from samantic.data.raster import Raster

OPAQUE = 128
"""Smallest opacity at which a pixel's colour counts."""


def draw_colours(
    image: Raster,
    colours: Mapping[str, tuple[int, int, int]],
    distance: float,
    notes: Counter[str],
) -> Drawing:
    """The labels of an image in colours, or with a palette.

    A transparent pixel has no object. Mixed and unknown colours are counted.

    Args:
        image: The decoded image.
        colours: Colours by the label for which they stand.
        distance: See `read_colours`.
        notes: Counts pixels whose colour is not exactly one of these.

    Raises:
        InputError: The image has more than 8 bits.
    """
    opaque = None if image.opacity is None or image.kind == "palette" else image.opacity >= OPAQUE
    found = read_colours(image.colours(), list(colours.values()), distance)
    _count(found, distance, notes)
    height, width = found.places.shape
    return Drawing((height, width), _patches(found, list(colours), opaque))


def _count(found: Colours, distance: float, notes: Counter[str]) -> None:
    if found.mixed:
        notes[f"pixels of mixed colours took the nearest class (within {distance:g})"] += (
            found.mixed
        )
    if found.unknown:
        notes[f"pixels of a colour of no class became 255, most of them {found.example}"] += (
            found.unknown
        )


def _patches(found: Colours, labels: list[str], opaque: Mask | None) -> Iterator[Patch]:
    for place in np.unique(found.places).tolist():
        own = found.places == place
        if opaque is not None:
            own &= opaque
        if own.any():
            yield Patch(VOID if place == UNKNOWN else labels[place], own)
