"""Colours of classes for display, by class name.

The palettes of data sets say which colour stands for which class in their label files. Many of
those colours are dark or similar, so they are not used for display.

The 40 colours are the result of a search (exchange of single colours, 3589 candidates of CIELAB
lightness 43 to 88). It maximises the smallest CIEDE2000 distance in normal vision, and as
protanopes and deuteranopes see the colours (Machado et al. 2009). Smallest distance, grey of class
0 included:

| colours | normal | protanopia | deuteranopia |
|---|---|---|---|
| first 12 | 15.7 | 14.7 | 14.6 |
| all 40 | 11.8 | 5.4 | 5.3 |
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from colorsys import hls_to_rgb

from samantic.strings import normal

Colour = tuple[int, int, int]

CLEAR: Colour = (128, 128, 128)
"""Colour of class 0 in charts. Overlays do not colour class 0."""

BLANK: Colour = (112, 112, 112)
"""Colour of ignored pixels in the palette of a label file."""

TABLE = """
ffc800 person, pedestrian, people
00a0ff car, cars, vehicle, vehicles
d20000 bike, bicycle, chair
a5e1d2 survivor
964b87 guardrail, board
78a578 clutter
b4d2ff bump
00b4b4 car stop
4b784b hand drill
5af0a5 color cone
d28700 backpack, bookcase
4b4bff curve
7887b4 road, floor
c31e69 traffic light, traffic lamp
c3b478 pole, column
0f78a5 truck
ff875a rider, door
b4a5e1 fence
d269d2 sidewalk
a52dd2 bus
69692d building, human-made structures
c3b400 terrain, table
1e78ff water
d2e169 traffic sign
00d2b4 train
0f965a shrubs
d25a00 cone
ffc396 curb
3cc3ff window
e1a596 tree trunk
f000a5 motorcycle, sofa
ffb4c3 crosswalk
f06996 dog
96873c rocky terrain
c396b4 wall
87d2e1 sky, ceiling
d2003c fire extinguisher
007869 animal
3cb44b vegetation, trees, tree
8769c3 beam
"""
"""The colours, best first, and the class names that use them."""

_ROWS = [line.split(" ", 1) for line in TABLE.split("\n") if line]

COLOURS: tuple[Colour, ...] = tuple(
    (int(code[:2], 16), int(code[2:4], 16), int(code[4:], 16)) for code, _ in _ROWS
)

_PLACES = {name: place for place, (_, names) in enumerate(_ROWS) for name in names.split(", ")}


def display_colours(classes: Sequence[str]) -> tuple[Colour, ...]:
    """A colour for each class by its name, independent of label id and letter case.

    Names in `TABLE` have their own colour. For every other name, a digest selects a colour. If two
    names of one list have the same colour, one of them takes another: a name of `TABLE` keeps its
    colour before other names, and otherwise the alphabetically first does. The order of the classes
    has no effect. More than 40 classes use further hues.

    Args:
        classes: Class names by label id. Class 0 is `CLEAR`.

    Example:
        >>> display_colours(["background", "car", "person"])
        ((128, 128, 128), (0, 160, 255), (255, 200, 0))
    """
    names = [normal(name).casefold().strip() for name in classes]
    taken: dict[int, str] = {}
    for name in sorted(set(names[1:]), key=lambda name: (name not in _PLACES, name)):
        taken[next(place for place in _wishes(name) if place not in taken)] = name
    places = {name: place for place, name in taken.items()}
    return (CLEAR, *(_colour(places[name]) for name in names[1:]))[: len(names)]


def _wishes(name: str) -> Iterator[int]:
    """Indices of colours in the order of preference of a name."""
    count = len(COLOURS)
    start = int.from_bytes(hashlib.sha256(name.encode("utf-8", "replace")).digest()[:4], "big")
    if name in _PLACES:
        yield _PLACES[name]
    yield from ((start + 7 * step) % count for step in range(count))  # 7 and 40 share no factor
    yield from range(count, count + 256)


def _colour(place: int) -> Colour:
    """The colour of an index; beyond the table, hues by the golden ratio in three lightnesses."""
    if place < len(COLOURS):
        return COLOURS[place]
    parts = hls_to_rgb(place * 0.6180339887 % 1.0, (0.45, 0.6, 0.75)[place % 3], 0.75)
    red, green, blue = (round(255 * part) for part in parts)
    return red, green, blue


def file_palette(classes: Sequence[str]) -> list[int]:
    """The 768 numbers of a label file's palette: class 0 black, classes in colour, others grey."""
    colours = [(0, 0, 0), *display_colours(classes)[1:]]
    return [part for colour in [*colours, *[BLANK] * (256 - len(colours))] for part in colour]
