"""A model at work on a stream: order, look-ahead, cameras that fail, labels that do not flicker."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

import samantic
from samantic.data.rig import Rig
from samantic.errors import InputError
from samantic.predict.asking import PairPredictor
from samantic.predict.health import Gate
from samantic.predict.smoothing import Smoother, phase_shift
from samantic.predict.stream import read_ahead
from samantic.scenes import Scene, draw_scene

SIZE = (48, 64)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [draw_scene(4, index, SIZE) for index in range(6)]


@pytest.fixture(scope="module", params=["folder", "exported"])
def model(request: pytest.FixtureRequest, exported: Path) -> PairPredictor:
    if request.param == "exported":
        return samantic.load(exported)
    return samantic.load("nano", device="cpu")


def pairs_of(scenes: list[Scene]) -> list[tuple[Any, Any]]:
    return [(scene.rgb, scene.thermal) for scene in scenes]


def test_answers_are_those_of_single_pairs(model: PairPredictor, scenes: list[Scene]) -> None:
    pairs = pairs_of(scenes)
    for options in ({"ahead": 0}, {"batch_size": 4}, {"gate": False}):
        found = list(model.stream(iter(pairs), **options))
        for one, alone in zip(found, model.predict_batch(pairs), strict=True):
            assert (one.labels == alone.labels).mean() > 0.999
            assert one.cameras == ({} if "gate" in options else {"rgb": "ok", "thermal": "ok"})
            assert not alone.cameras


def test_a_sick_camera_counts_as_missing(model: PairPredictor, scenes: list[Scene]) -> None:
    black, dark = np.zeros_like(scenes[0].rgb), np.zeros_like(scenes[0].thermal)
    first, second, third, fourth = pairs_of(scenes[:4])
    pairs = [first, (black, second[1]), (third[0], dark), (black, dark), fourth]
    gate = Gate(model.camera)
    found = list(model.stream(pairs, gate=gate))
    assert np.array_equal(found[1].labels, model.predict(thermal=second[1]).labels)
    assert np.array_equal(found[2].labels, model.predict(rgb=third[0]).labels)
    assert found[3].labels.tolist() == np.full(SIZE, 255).tolist()
    assert not found[3].confidence.any()
    assert found[3].overlay().size == (64, 48)
    states = [(one.cameras["rgb"], one.cameras["thermal"]) for one in found]
    assert states == [("ok", "ok"), ("black", "ok"), ("ok", "black"), ("black",) * 2, ("ok",) * 2]
    assert gate.counts["rgb"] == {"ok": 3, "black": 2}


def test_a_camera_whose_file_is_torn(
    model: PairPredictor, scenes: list[Scene], tmp_path: Path
) -> None:
    path = tmp_path / "rgb.png"
    Image.fromarray(scenes[0].rgb).save(path)
    path.write_bytes(path.read_bytes()[:300])
    pairs = [(path, scenes[0].thermal), (path, None), (scenes[1].rgb, scenes[1].thermal)]
    found = list(model.stream(pairs))
    assert found[0].cameras == {"rgb": "unreadable", "thermal": "ok"}
    assert found[1].labels.min() == 255
    assert found[2].cameras["rgb"] == "ok"
    with pytest.raises(InputError, match=r"pair 0: .*rgb\.png: not a readable image"):
        list(model.stream(pairs, gate=False))


def test_what_is_wrong_with_the_call_is_told(model: PairPredictor, scenes: list[Scene]) -> None:
    good = (scenes[0].rgb, scenes[0].thermal)
    with pytest.raises(InputError, match="pair 1: thermal: 32x24 pixels, but rgb has 64x48"):
        list(model.stream([good, (good[0], good[1][:24, :32])]))
    with pytest.raises(InputError, match=r"pair 0: predict_batch: takes pairs"):
        list(model.stream([scenes[0].rgb]))  # type: ignore[list-item]
    with pytest.raises(InputError, match="smooth is 1; give the share of the past"):
        model.stream([good], smooth=1)
    with pytest.raises(InputError, match="batch_size is 0"):
        list(model.stream([good], batch_size=0))


def test_thermal_alone_stays_on_the_pixels_of_rgb(scenes: list[Scene]) -> None:
    """Where a calibration says where the cameras stand, frames keep their size and place."""
    model = samantic.load("nano", device="cpu", rig="resize")
    small = scenes[0].thermal[::2, ::2].copy()
    pairs = [(scenes[0].rgb, small), (np.zeros_like(scenes[0].rgb), scenes[1].thermal[::2, ::2])]
    found = list(model.stream(pairs))
    assert [one.labels.shape for one in found] == [SIZE, SIZE]
    warped = Rig(None).warp(pairs[1][1].astype(np.float32) / 255, SIZE)
    expected = model.classify(None, torch.from_numpy(warped)[None, None]).labels[0, 0]
    assert np.array_equal(found[1].labels, expected)


@pytest.mark.parametrize("scaling", ["frame", "inverted:20000,25100"])
def test_thermal_alone_is_scaled_before_it_is_warped(scenes: list[Scene], scaling: str) -> None:
    """As in a pair: what thermal does not see is 0 after scaling, and no measured value."""
    rig = [[1.0, 0.0, 20.0], [0.0, 1.0, 12.0], [0.0, 0.0, 1.0]]
    model = samantic.load("nano", device="cpu", thermal_scaling=scaling, rig=rig)  # type: ignore[arg-type]
    counts = (20000 + 20 * scenes[0].thermal.astype(np.uint16))[12:36, 20:44].copy()
    pairs = [(scenes[0].rgb, counts), (np.zeros_like(scenes[0].rgb), counts + np.uint16(1))]
    both, alone = model.stream(pairs)
    assert alone.cameras == {"rgb": "black", "thermal": "ok"}
    assert both.thermal is not None
    assert alone.thermal is not None
    assert np.array_equal(np.isnan(both.thermal), np.isnan(alone.thermal))
    assert np.array_equal(both.images["thermal"], alone.images["thermal"])
    heat = model.camera.see(pairs[1][1], scenes[0].rgb)
    expected = model.classify(None, torch.from_numpy(heat)[None, None]).labels[0, 0]
    assert np.array_equal(alone.labels, expected)


def test_no_more_is_read_ahead_than_wanted(scenes: list[Scene]) -> None:
    model, read = samantic.load("nano", device="cpu"), []

    def endless() -> Iterator[tuple[Any, Any]]:
        while True:
            read.append(threading.current_thread())
            scene = scenes[len(read) % len(scenes)]
            yield scene.rgb, scene.thermal

    frames = model.stream(endless(), ahead=2)
    for count in range(1, 6):
        next(frames)
        assert len(read) <= count + 2 + 2  # in the queue; at the door, and one that is read
    assert threading.main_thread() not in read
    frames.close()  # type: ignore[attr-defined]
    read[0].join(5)
    assert not read[0].is_alive()


def test_reading_ahead_passes_errors_on_in_their_place() -> None:
    def broken() -> Iterator[int]:
        yield 1
        yield 2
        raise InputError("cable")

    for count in (0, 1, 5):
        items = read_ahead(broken(), count)
        assert [next(items), next(items)] == [1, 2]
        with pytest.raises(InputError, match="cable"):
            next(items)


def test_phase_shift_against_known_shifts() -> None:
    rng = np.random.default_rng(0)
    world = ndimage.gaussian_filter(rng.normal(size=(140, 160)), 2).astype(np.float32)
    first = world[20:116, 20:148]
    for dy, dx in ((0, 0), (3, -5), (-7, 2), (11, 13)):
        peak, y, x = phase_shift(first, world[20 - dy : 116 - dy, 20 - dx : 148 - dx])
        assert (round(y), round(x)) == (dy, dx)
        assert peak > 0.2
    other = ndimage.gaussian_filter(rng.normal(size=first.shape), 2).astype(np.float32)
    assert phase_shift(first, other)[0] < 0.1


def test_smoothing_is_an_aligned_exponential_mean(scenes: list[Scene]) -> None:
    """Against the formula, written out over a moving window of one scene."""
    model, weight = samantic.load("nano", device="cpu"), 0.6
    scene = draw_scene(4, 0, (120, 160))
    places = [(0, 0), (0, 4), (3, 8), (3, 8)]
    pairs = [
        (scene.rgb[y : y + 96, x : x + 128].copy(), scene.thermal[y : y + 96, x : x + 128].copy())
        for y, x in places
    ]
    found = list(model.stream(pairs, smooth=weight))
    mean = None
    for place, pair, one in zip(places, pairs, found, strict=True):
        now = model.predict(*pair, probabilities=True).probabilities
        if mean is None:
            mean, before = now, place
        else:
            dy, dx = place[0] - before[0], place[1] - before[1]
            moved, before = np.full_like(now, np.nan), place
            moved[:, : 96 - dy, : 128 - dx] = mean[:, dy:, dx:]
            mean = np.where(np.isnan(moved), now, weight * moved + (1 - weight) * now)
        assert np.allclose(one.probabilities, mean, atol=1e-5)
        assert np.array_equal(one.labels, mean.argmax(0))
        assert np.allclose(one.confidence, mean.max(0), atol=1e-5)


def test_smoothing_forgets_another_scene(scenes: list[Scene]) -> None:
    model = samantic.load("nano", device="cpu")
    pairs = pairs_of([draw_scene(3, index, (96, 128)) for index in (0, 5)])
    found = list(model.stream(pairs, smooth=0.9))
    alone = model.predict(*pairs[1])
    assert (found[1].labels == alone.labels).mean() > 0.999


def test_smoothing_keeps_to_the_selection(scenes: list[Scene]) -> None:
    model = samantic.load("nano", device="cpu", only=["car"])
    found = list(model.stream(pairs_of(scenes), smooth=0.5))
    assert {int(label) for one in found for label in np.unique(one.labels)} <= {1, 255}
    assert Smoother(0).weight == 0
