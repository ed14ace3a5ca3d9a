"""A legend below an image: a swatch and a name for each class in it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from samantic.display.palette import display_colours

PAPER, INK = (24, 24, 24), (255, 255, 255)

CHECKS = ((96, 96, 96), (160, 160, 160))
"""Two greys of the checkered swatch of class 0, which is not coloured."""


def with_legend(
    picture: Image.Image, labels: NDArray[np.uint8], classes: Sequence[str]
) -> Image.Image:
    """The image with a strip below that names its classes, class 0 first.

    Args:
        picture: RGB.
        labels: (H, W) uint8, the labels that are drawn in the image.
        classes: Class names by label id.
    """
    seen = [int(label) for label in np.unique(labels) if 0 < label < len(classes)]
    size = max(12, min(picture.size) // 30)
    colours, font = display_colours(classes), _font(size)
    places, step = [], round(1.7 * size)
    x = y = size // 2
    for label in (0, *seen):
        name = _drawable(classes[label], label, font)
        width = round(1.4 * size + font.getlength(name) + 1.2 * size)
        if x > size // 2 and x + width > picture.width:
            x, y = size // 2, y + step
        places.append((x, y, label, name))
        x += width
    canvas = Image.new("RGB", (picture.width, picture.height + y + step), PAPER)
    canvas.paste(picture)
    draw = ImageDraw.Draw(canvas)
    for left, top, label, name in places:
        top += picture.height
        _swatch(draw, left, top, size, None if label == 0 else colours[label])
        draw.text((left + 1.4 * size, top), name, INK, font)
    return canvas


def _swatch(
    draw: ImageDraw.ImageDraw, left: int, top: int, size: int, colour: tuple[int, int, int] | None
) -> None:
    """A square of the colour in a light frame; a checkered one if there is no colour."""
    if colour is not None:
        draw.rectangle((left, top, left + size, top + size), fill=colour, outline=INK)
        return
    half = size // 2
    for i, j in np.ndindex(2, 2):
        x, y = left + i * half, top + j * half
        draw.rectangle((x, y, x + half, y + half), fill=CHECKS[(i + j) % 2])
    draw.rectangle((left, top, left + size, top + size), outline=INK)


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """DejaVu, which comes with matplotlib and covers many scripts; otherwise Pillow's own font."""
    spec = find_spec("matplotlib")
    for place in spec.submodule_search_locations or () if spec else ():
        path = Path(place) / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        if path.is_file():
            return ImageFont.truetype(path, size)
    return ImageFont.load_default(size)


def _drawable(name: str, label: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The name, or its label id if the font lacks one of its letters."""
    missing = bytes(font.getmask("\uffff"))
    drawn = [bytes(font.getmask(letter)) for letter in name if not letter.isspace()]
    return f"class {label}" if missing in drawn else name
