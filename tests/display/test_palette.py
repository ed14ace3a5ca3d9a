"""Display colours: far apart for every eye, seen on every ground, and the same by name."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from samantic.data import CATALOG
from samantic.display.palette import CLEAR, COLOURS, display_colours, file_palette
from samantic.predict.info import read_info
from samantic.predict.model_folder import SHIPPED
from tests.display.colour_science import ciede2000, contrast, lab


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_yardstick(
    first: tuple[float, ...], second: tuple[float, ...], expected: float
) -> None:
    """Pairs of Sharma, Wu and Dalal 2005, table 1."""
    assert ciede2000(np.array(first), np.array(second)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("count", "vision", "least"),
    [
        (12, "normal", 15.7),
        (12, "protanopia", 14.6),
        (12, "deuteranopia", 14.5),
        (40, "normal", 11.8),
        (40, "protanopia", 5.4),
        (40, "deuteranopia", 5.3),
    ],
)
def test_distance_of_any_two(count: int, vision: str, least: float) -> None:
    """Grey of class 0 included; a difference of 2.3 can just be noticed."""
    seen = [lab(colour, vision) for colour in (CLEAR, *COLOURS[:count])]
    assert min(ciede2000(a, b) for a, b in combinations(seen, 2)) >= least


def test_contrast_to_dark_and_to_light_ground() -> None:
    for colour in COLOURS:
        assert contrast(colour, (0, 0, 0)) >= 3.5, colour
        assert contrast(colour, (24, 24, 24)) >= 3.0, colour
        assert ciede2000(lab(colour), lab((255, 255, 255))) >= 12, colour


@pytest.mark.parametrize("count", [2, 12, 40, 41, 254])
def test_every_class_has_its_own(count: int) -> None:
    found = display_colours([f"thing {i}" for i in range(count)])
    assert len(set(found)) == len(found) == count
    assert found[0] == CLEAR


def test_up_to_40_classes_share_no_colour_beyond_the_table() -> None:
    assert set(display_colours([f"thing {i}" for i in range(41)])[1:]) == set(COLOURS)


@pytest.mark.parametrize("key", [key for key, card in CATALOG.items() if card.classes])
def test_data_sets_have_good_colours(key: str) -> None:
    """None of their classes has to move on, so each looks alike wherever it occurs."""
    names = CATALOG[key].classes
    found = dict(zip(names, display_colours(names), strict=True))
    for name in names[1:]:
        assert found[name] == display_colours(["background", name])[1], name


def test_nano_has_the_colours_that_differ_most() -> None:
    names = read_info(SHIPPED / "nano").classes
    assert set(display_colours(names)[1:]) <= set(COLOURS[:12])


def test_the_same_name_is_the_same_colour() -> None:
    """In nano, in what was trained from it, in any order and letter case."""
    nano = read_info(SHIPPED / "nano").classes
    own = ("road", "Person", "drone", "CAR", "kiln", "bike")
    colours = dict(zip(own, display_colours(own), strict=True))
    of_nano = dict(zip(nano, display_colours(nano), strict=True))
    assert colours["Person"] == of_nano["person"]
    assert colours["CAR"] == of_nano["car"]
    assert colours["bike"] == of_nano["bike"]
    turned = ("road", *own[:0:-1])
    assert dict(zip(turned, display_colours(turned), strict=True)) == colours


def test_names_that_want_one_colour_get_two() -> None:
    """And neither depends on which comes first."""
    names = ("background", "bicycle", "bike", "person", "people", "pedestrian")
    found = display_colours(names)
    assert len(set(found)) == len(names)
    assert display_colours((names[0], *names[:0:-1]))[::-1][:-1] == found[1:]


def test_palette_of_label_files() -> None:
    palette = np.array(file_palette(("background", "person"))).reshape(256, 3)
    assert palette[0].tolist() == [0, 0, 0]
    assert tuple(palette[1]) == display_colours(("background", "person"))[1]
    assert np.ptp(palette[2:]) == 0
