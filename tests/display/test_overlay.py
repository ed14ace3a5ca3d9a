"""What classes are drawn on, their outlines, and the legend."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from PIL import Image

from samantic.display.confidence import STOPS, confidence_colours
from samantic.display.ground import GROUNDS, Ground, ground_of, luminance
from samantic.display.legend import with_legend
from samantic.display.overlay import INSIDE, OUTSIDE, outlines, overlay
from samantic.display.palette import display_colours
from samantic.errors import InputError
from tests.display.colour_science import ciede2000, contrast, lab

CLASSES = ("background", "car", "person")

NIGHT = np.random.default_rng(0).integers(0, 30, (96, 128, 3), np.uint8)
NIGHT[:40, :40] = 250  # a lamp
HEAT = np.full((96, 128), 60, np.uint8)
HEAT[50:80, 80:100] = 220  # a person whom RGB does not show
LABELS = np.zeros((96, 128), np.uint8)
LABELS[50:80, 80:100] = 2


def test_one_of_two_tones_is_seen_on_every_ground() -> None:
    for level in range(256):
        tones = [contrast((tone,) * 3, (level,) * 3) for tone in (INSIDE, OUTSIDE)]
        assert max(tones) >= 4.5


def test_the_larger_id_is_light_inside() -> None:
    labels = np.zeros((12, 12), np.uint8)
    labels[3:9, 3:6], labels[3:9, 6:9] = 1, 2
    inside, outside = outlines(labels)
    assert inside[5].tolist() == [i in (3, 6, 8) for i in range(12)]
    assert outside[5].tolist() == [i in (2, 5, 9) for i in range(12)]
    assert not (inside & outside).any()


def test_no_outline_around_what_is_ignored() -> None:
    labels = np.zeros((9, 9), np.uint8)
    labels[3:6] = 255
    ground = np.full((9, 9, 3), 90, np.uint8)
    assert np.array_equal(np.asarray(overlay(ground, labels, CLASSES)), ground)


def test_a_person_at_night_is_seen() -> None:
    """Drawn over RGB as it is, half of the benchmark's (64, 64, 0) was near black."""
    ground = ground_of(NIGHT, HEAT)
    drawn = np.asarray(overlay(ground, LABELS, CLASSES))
    person, around = drawn[55:75, 85:95], drawn[50:80, 60:75]
    before = 0.5 * NIGHT[55:75, 85:95].mean((0, 1)) + 0.5 * np.array((64, 64, 0))
    near = NIGHT[50:80, 60:75].mean((0, 1))
    colours = (tuple(x.mean((0, 1)).astype(int)) for x in (person, around))
    assert ciede2000(*map(lab, colours)) > 40
    assert ciede2000(*(lab(tuple(x.astype(int))) for x in (before, near))) < 20


def test_auto_is_thermal_where_rgb_stays_dark() -> None:
    ground = ground_of(NIGHT, HEAT).astype(int)
    dark = ground[50:, 60:]
    assert np.ptp(dark, axis=2).max() <= 15, "grey, as thermal is"
    assert dark[10, 30].mean() > dark[40, 5].mean() + 80
    assert ground[5, 5].min() > 200, "a lamp is RGB's"
    day = np.full((96, 128, 3), (90, 120, 150), np.uint8)
    assert np.array_equal(ground_of(day, HEAT), day)
    alone = ground_of(NIGHT // 2, None)
    assert luminance(alone).mean() > 1.5 * luminance(NIGHT // 2).mean()


def test_the_other_grounds() -> None:
    assert get_args(Ground) == GROUNDS
    assert ground_of(NIGHT, HEAT, "rgb") is NIGHT
    heat = ground_of(NIGHT, HEAT, "thermal")
    assert np.ptp(heat, axis=2).max() == 0
    assert np.array_equal(ground_of(None, HEAT), heat)
    blend = ground_of(NIGHT, HEAT, "blend").astype(int)
    assert np.abs(blend - (ground_of(NIGHT, None).astype(int) + heat) / 2).max() <= 1
    flat = np.full((20, 20), 7, np.uint8)
    assert ground_of(None, flat).tolist() == np.full((20, 20, 3), 7).tolist()


@pytest.mark.parametrize(
    ("kind", "rgb", "thermal", "message"),
    [
        ("thermal", NIGHT, None, "ground: thermal needs the thermal image; give it, or take auto"),
        ("blend", NIGHT, None, "ground: blend needs the thermal image"),
        ("blend", None, HEAT, "ground: blend needs the RGB image"),
        ("rgb", None, HEAT, "ground: rgb needs the RGB image"),
        ("infrared", NIGHT, HEAT, "ground: 'infrared' is none of auto, rgb, thermal, blend"),
    ],
)
def test_a_ground_that_is_not_there(
    kind: Ground, rgb: object, thermal: object, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        ground_of(rgb, thermal, kind)  # type: ignore[arg-type]


def test_a_legend_names_what_is_there_and_class_0() -> None:
    picture = Image.new("RGB", (128, 96), (9, 9, 9))
    drawn = np.asarray(with_legend(picture, LABELS, CLASSES))
    assert np.array_equal(drawn[:96], np.asarray(picture))
    strip = drawn[96:].reshape(-1, 3)
    person, car = display_colours(CLASSES)[2], display_colours(CLASSES)[1]
    assert (strip == person).all(1).any()
    assert not (strip == car).all(1).any()
    for level in (96, 160):
        assert (strip == level).all(1).any(), "class 0 in checks"
    wide = with_legend(Image.new("RGB", (400, 96)), LABELS, CLASSES)
    assert wide.height < drawn.shape[0], "one line instead of two"


def test_a_legend_of_names_that_no_font_has() -> None:
    names = ("background", "\U0001f98a\ue000", "人")
    assert with_legend(Image.new("RGB", (128, 96)), LABELS, names).height > 96


def test_confidence_goes_from_blue_to_yellow() -> None:
    colours = confidence_colours(np.array([[0.0, 1.0]]))
    assert colours.tolist() == [[list(STOPS[0]), list(STOPS[-1])]]
    levels = luminance(confidence_colours(np.arange(256, dtype=np.uint8)[None]))[0]
    assert (np.diff(levels) > -0.5).all()
    assert levels[-1] - levels[0] > 150
