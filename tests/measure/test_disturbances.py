from __future__ import annotations

import math

import pytest
import torch

from samantic.data.sensors import SENSORS
from samantic.measure.disturbances import (
    FAILURE_PROBABILITIES,
    MISSING,
    SHIFTS,
    SUITE,
    Images,
    averages,
    disturb,
    expected_miou,
)


@pytest.fixture
def pair() -> Images:
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.rand(1, sensor.channels, 60, 80, generator=generator)
        for name, sensor in SENSORS.items()
    }


@pytest.mark.parametrize("name", SUITE)
def test_every_disturbance_changes_what_it_says_alike_each_time(name: str, pair: Images) -> None:
    before = {sensor: x.clone() for sensor, x in pair.items()}
    first, again = disturb(pair, name, "00001D"), disturb(pair, name, "00001D")
    for modality in ("rgb", "thermal"):
        image, repeated = first.get(modality), again.get(modality)
        original = pair[modality]
        assert torch.equal(original, before[modality]), "the pair itself is left as it is"
        if modality not in SUITE[name].touches:
            assert image is original
        elif name in MISSING:
            assert image is repeated is None
        else:
            assert image is not None
            assert repeated is not None
            assert torch.equal(image, repeated)
            assert not torch.equal(image, original)
            assert 0 <= image.min() <= image.max() <= 1


@pytest.mark.parametrize("name", ["noise mid", "rgb region missing", "misaligned 16 px"])
def test_what_is_random_depends_on_pair_and_seed(name: str, pair: Images) -> None:
    modality = SUITE[name].touches[0]
    images = [
        disturb(pair, name, key, seed)[modality]
        for key, seed in (("00001D", 0), ("00002D", 0), ("00001D", 1))
    ]
    assert not torch.equal(images[0], images[1])
    assert not torch.equal(images[0], images[2])


def test_strengths(pair: Images) -> None:
    gray = {name: torch.full((1, s.channels, 200, 200), 0.5) for name, s in SENSORS.items()}
    for name, sigma in (("noise low", 0.05), ("noise mid", 0.1)):
        disturbed = disturb(gray, name, "x")
        assert disturbed.keys() == gray.keys()
        for images in disturbed.values():
            assert images.std().item() == pytest.approx(sigma, rel=0.02)
    for key in "abcdef":
        region = disturb(
            {n: torch.ones_like(x) for n, x in gray.items()}, "both regions missing", key
        )
        assert region.keys() == gray.keys()
        for images in region.values():
            assert 0.24 < (images == 0).double().mean() < 0.51
    over, under = (disturb(gray, f"rgb {kind}exposed", "x")["rgb"] for kind in ("over", "under"))
    assert (over[0, 0, 0, 0] / 0.5) ** 2.2 == pytest.approx(4, rel=1e-4)
    assert (under[0, 0, 0, 0] / 0.5) ** 2.2 == pytest.approx(1 / 4, rel=1e-4)
    gain, offset = (disturb(pair, f"thermal {kind}", "x")["thermal"] for kind in ("gain", "offset"))
    torch.testing.assert_close(gain, 0.25 + 0.5 * pair["thermal"])
    torch.testing.assert_close(offset, (pair["thermal"] + 0.2).clamp(max=1))


@pytest.mark.parametrize("distance", SHIFTS)
def test_misalignment_moves_thermal_by_its_distance(distance: int) -> None:
    spot = torch.zeros(1, 1, 101, 101)
    spot[..., 50, 50] = 1.0
    directions = set()
    for key in range(8):
        moved = disturb({"thermal": spot}, f"misaligned {distance} px", str(key))["thermal"]
        y, x = (moved[0, 0] == 1).nonzero()[0].tolist()
        assert math.hypot(y - 50, x - 50) == pytest.approx(distance, abs=0.75)
        directions.add((y, x))
    assert len(directions) > 3


def test_averages_count_a_missing_answer_as_nothing() -> None:
    mious = {"rgb missing": None, "thermal missing": 0.4, "noise low": 0.5, "noise high": 0.1}
    assert averages(mious) == pytest.approx({"missing": 0.2, "noise": 0.3})


@pytest.mark.parametrize("p", FAILURE_PROBABILITIES)
def test_expected_miou_equals_its_sum_over_failures(p: float) -> None:
    mious = {(True, True): 0.6, (False, True): 0.3, (True, False): 0.5}
    weights = {works: math.prod(1 - p if camera else p for camera in works) for works in mious}
    expected = sum(weights[w] * mious[w] for w in mious) / sum(weights.values())
    assert expected_miou(0.6, 0.3, 0.5, p) == pytest.approx(expected)
    assert expected_miou(0.6, 0.6, 0.6, p) == pytest.approx(0.6)
