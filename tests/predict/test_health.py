"""The camera gate: each fault by name, and no alarm over images that are well."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from samantic.data.camera import Camera
from samantic.data.images import read_rgbt, rgb_array, thermal_array
from samantic.data.thermal import Scaling
from samantic.predict.health import FROZEN, WELL, Gate
from samantic.predict.levels import pair_states
from samantic.predict.rows import rows_are_shifted, rows_have_jumped
from samantic.scenes import Scene, draw_scene

Pixels = NDArray[Any]


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [draw_scene(seed, index, (144, 192)) for seed in (1, 2) for index in range(6)]


def half(image: Pixels) -> Pixels:
    moved = image.copy()
    moved[len(image) // 3 :] = np.roll(moved[len(image) // 3 :], 31, axis=1)
    return moved


def band(image: Pixels) -> Pixels:
    moved = image.copy()
    moved[20:50] = np.roll(moved[20:50], -17, axis=1)
    return moved


def slanted(image: Pixels) -> Pixels:
    return np.stack([np.roll(row, 7 * i, axis=0) for i, row in enumerate(image)])


def combed(image: Pixels) -> Pixels:
    moved = image.copy()
    moved[::2] = np.roll(moved[::2], 9, axis=1)
    return moved


def rolled(image: Pixels) -> Pixels:
    return np.roll(image, 40, axis=0)


@pytest.mark.parametrize(
    ("fault", "most_missed"), [(half, 3), (band, 2), (slanted, 1), (combed, 1), (rolled, 5)]
)
def test_moved_rows(
    scenes: list[Scene], fault: Callable[[Pixels], Pixels], most_missed: int
) -> None:
    for name in ("rgb", "thermal"):
        images = [getattr(scene, name) for scene in scenes]
        missed = [Gate(Camera()).check(pair_of(name, fault(i)))[name] in WELL for i in images]
        assert sum(missed) <= most_missed, name


def pair_of(name: str, image: Pixels) -> Any:
    return (image, None) if name == "rgb" else (None, image)


def test_rows_that_jump_between_two_images(scenes: list[Scene]) -> None:
    """Noise hides the seam from one image, and not from two; a turn above a bonnet is no fault."""
    rng = np.random.default_rng(0)
    caught = 0
    for scene in scenes:
        clean = (scene.rgb[..., 1] / 4 + 30).astype(np.int16)
        before, after = (
            (clean + rng.normal(0, 6, clean.shape)).clip(0, 255).astype(np.uint8) for _ in range(2)
        )
        assert not rows_have_jumped(before, after)
        caught += rows_have_jumped(before, half(after))
        wide = np.concatenate([scene.rgb, scene.rgb[:, ::-1]], axis=1)[..., 1]
        sights = [wide[:, x : x + 192].copy() for x in (40, 52)]
        for sight in sights:
            sight[-40:] = wide[-40:, :192]
        assert not rows_have_jumped(*sights)
    assert caught >= 7  # of 12; the darkest are below the noise


def test_no_alarm_over_generated_scenes(scenes: list[Scene]) -> None:
    gate = Gate(Camera())
    for scene in scenes:
        assert gate.check((scene.rgb, scene.thermal)) == {"rgb": "ok", "thermal": "ok"}
    assert gate.counts["rgb"] == {"ok": len(scenes)}


def noise(shape: tuple[int, ...], low: int, high: int, dtype: type = np.uint8) -> Pixels:
    return np.random.default_rng(3).integers(low, high + 1, shape).astype(dtype)


@pytest.mark.parametrize(
    ("image", "state"),
    [
        (noise((64, 80, 3), 0, 6), "black"),
        (noise((64, 80, 3), 252, 255), "saturated"),
        (noise((64, 80, 3), 98, 101), "uniform"),
        (noise((64, 80), 0, 3), "black"),
        (noise((64, 80), 251, 255), "saturated"),
        (noise((64, 80), 120, 124), "shutter"),
        (np.full((64, 80), 8123, np.uint16), "shutter"),
        (np.zeros((64, 80), np.uint16), "shutter"),
        (np.full((64, 80), 65535, np.uint16), "saturated"),
        (np.full((64, 80), np.nan, np.float32), "shutter"),
        (noise((144, 192, 3), 0, 255), "ok"),
    ],
)
def test_levels(image: Pixels, state: str) -> None:
    name = "rgb" if image.ndim == 3 else "thermal"
    camera, pair = Camera(Scaling("frame")), pair_of(name, image)
    assert Gate(camera).check(pair)[name] == state
    assert pair_states(pair, camera)[name] == state  # one pair alone tells as much


def test_a_shutter_is_told_by_what_is_usual(scenes: list[Scene]) -> None:
    """In counts, whose unit nobody knows, the shutter is far flatter than the scenes before it."""
    counts = 7000 + 10 * scenes[0].thermal.astype(np.uint16)
    shutter = noise(counts.shape, 7990, 8010, np.uint16)
    gate = Gate(Camera(Scaling("frame")))
    states = [gate.check((None, image))["thermal"] for image in (counts, shutter, counts + 1)]
    assert states == ["ok", "shutter", "ok"]


def test_out_of_the_range_of_the_model(scenes: list[Scene]) -> None:
    kelvin = 28000 + 10 * scenes[0].thermal.astype(np.uint16)
    gate = Gate(Camera(Scaling("fixed", 27315, 31315)))
    assert gate.check((None, kelvin))["thermal"] == "ok"
    assert gate.check((None, kelvin + 6000))["thermal"] == "out of range"


def test_frozen_is_more_than_doubled(scenes: list[Scene], caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate(Camera())
    first, second = scenes[0], scenes[2]
    with caplog.at_level(logging.WARNING, "samantic"):
        states = [
            gate.check((scene.rgb, first.thermal.copy()))["thermal"]
            for scene in [*scenes[:FROZEN], first]
        ]
        states += [gate.check((second.rgb, second.thermal))["thermal"]]
    assert states == ["ok", *["doubled"] * (FROZEN - 2), "frozen", "frozen", "ok"]
    assert [record.getMessage() for record in caplog.records] == [
        "pair 4: thermal camera: frozen; counts as missing",
        "pair 6: thermal camera: ok again",
    ]
    assert gate.counts["thermal"] == {"ok": 2, "doubled": 3, "frozen": 2}


def test_what_is_known_already_is_kept() -> None:
    gate = Gate(Camera())
    assert gate.check((None, None), {"rgb": "dropped"}) == {"rgb": "dropped", "thermal": "missing"}


def test_a_gate_that_only_tells(scenes: list[Scene]) -> None:
    pair = (np.zeros_like(scenes[0].rgb), scenes[0].thermal)
    for act in (True, False):
        gate = Gate(Camera(), act=act)
        states = gate.check(pair)
        assert states["rgb"] == "black"
        assert (gate.healthy(pair, states)[0] is None) == act


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (40, 5), (3, 2000), (32, 32)])
def test_rows_of_any_size(shape: tuple[int, int]) -> None:
    y, x = np.indices(shape)
    smooth = 100 + 50 * np.sin(x / 5 + y / 9)
    assert not rows_are_shifted(smooth.astype(np.uint8))


@pytest.mark.realdata
def test_no_alarm_over_real_frames(realdata: Path) -> None:
    """A sample of what docs/video.md reports of all."""
    gate = Gate(Camera(Scaling("frame")))
    for path in sorted((realdata / "mfnet_mini" / "images").glob("*.png"))[::6]:
        gate.check(read_rgbt(path))
    for folder in ("roadscene", "llvip"):
        for path in sorted((realdata / "unlabelled_pairs" / folder / "rgb").iterdir())[::2]:
            other = realdata / "unlabelled_pairs" / folder / "thermal" / path.name
            gate.check((rgb_array(path), thermal_array(other)))
    with Image.open(realdata / "panoramas" / "pass_0.png") as panorama:
        gate.check((np.asarray(panorama.convert("RGB")), None))
    sick = {n: sum(c for s, c in gate.counts[n].items() if s not in WELL) for n in gate.counts}
    assert sick == {"rgb": 2, "thermal": 1}  # one alarm over a hedge, and no panorama in thermal
