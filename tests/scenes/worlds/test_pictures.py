"""Worlds and their pictures: exact around the seam, repeatable, rich in classes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from samantic.data.cards.rgb import STANFORD2D3D
from samantic.scenes import Scene
from samantic.scenes.worlds import draw_panorama, draw_pinhole, draw_room
from samantic.scenes.worlds.cameras import Equirectangular, Pinhole
from samantic.scenes.worlds.room import room_world
from samantic.scenes.worlds.street import street_world
from samantic.scenes.worlds.things import LABEL
from samantic.scenes.worlds.view import World, look

SIZE = (32, 128)
Draw = Callable[[int, int, tuple[int, int]], Scene]


@pytest.mark.parametrize("build", [street_world, room_world])
def test_a_turned_camera_rolls_the_picture(build: Callable[[int, int], World]) -> None:
    world = build(3, 1)
    straight = look(world, Equirectangular(), (0, 1.5, 0), SIZE)
    turned = look(world, Equirectangular(21 / 128), (0, 1.5, 0), SIZE)
    assert np.array_equal(np.roll(straight.labels, -21, 1), turned.labels)
    assert np.array_equal(np.roll(straight.instances, -21, 1), turned.instances)
    assert np.allclose(np.roll(straight.rgb, -21, 1), turned.rgb, atol=1e-4)
    assert np.allclose(np.roll(straight.heat, -21, 1), turned.heat, atol=1e-2)


def test_both_cameras_see_one_world() -> None:
    """A pinhole's pixel and the panorama's in the same direction show the same thing."""
    world, eye = street_world(2, 0), (0.0, 1.6, 0.0)
    wide, narrow = Equirectangular(), Pinhole(70, 0.1, 2)
    around, flat = look(world, wide, eye, (128, 512)), look(world, narrow, eye, (48, 64))
    x, y, z = narrow.rays((48, 64)).reshape(-1, 3).T
    column = (np.arctan2(x, z) / (2 * np.pi) + 0.5) * 512
    row = 63.5 - np.arcsin(y) / (2 * np.pi) * 512
    there = around.instances[row.round().astype(int), column.astype(int) % 512]
    assert np.mean(there == flat.instances.ravel()) > 0.9


@pytest.mark.parametrize("draw", [draw_panorama, draw_pinhole, draw_room])
def test_same_arguments_give_same_bytes(draw: Draw) -> None:
    first = draw(4, 2, SIZE)
    draw(5, 0, SIZE)
    for one, two in zip(first, draw(4, 2, SIZE), strict=True):
        assert np.array_equal(np.asarray(one), np.asarray(two))
    for other in (draw(4, 3, SIZE), draw(5, 2, SIZE)):
        assert not np.array_equal(first.labels, other.labels)
    assert first.rgb.shape == (*SIZE, 3)
    assert (first.rgb.dtype, first.thermal.dtype) == (np.uint8, np.uint8)
    assert (first.labels.dtype, first.instances.dtype) == (np.uint8, np.uint16)


def test_streets_show_all_classes_and_every_instance_is_of_one() -> None:
    scenes = [draw_panorama(0, index, (64, 256)) for index in range(16)]
    found: set[int] = set()
    for scene in scenes:
        there = np.unique(scene.labels).tolist()
        assert len(there) >= 9
        found |= set(there)
        pairs = {
            (int(i), int(k)) for i, k in zip(scene.instances.flat, scene.labels.flat, strict=True)
        }
        assert len(pairs) == len({instance for instance, _ in pairs})
        assert scene.instances.min() >= 1
    assert set(LABEL.values()) <= found
    labels = np.stack([scene.labels for scene in scenes])
    for name, least in (("road", 0.1), ("building", 0.1), ("sky", 0.05), ("car", 0.01)):
        assert np.mean(labels == LABEL[name]) > least
    people, sky = labels == LABEL["person"], labels == LABEL["sky"]
    thermal = np.stack([scene.thermal for scene in scenes])
    assert thermal[people].mean() > thermal[~people].mean() + 25
    assert thermal[sky].mean() < thermal[~sky].mean() - 10


def test_rooms_show_their_classes() -> None:
    labels = [draw_room(0, index, (64, 128)).labels for index in range(12)]
    assert set(np.unique(labels)) == set(range(len(STANFORD2D3D.classes)))


@pytest.mark.parametrize("draw", [draw_panorama, draw_pinhole, draw_room])
def test_bad_arguments(draw: Draw) -> None:
    with pytest.raises(ValueError, match="seed and index must be 0 or more"):
        draw(-1, 0, SIZE)
    with pytest.raises(ValueError, match="at least 32 x 32"):
        draw(0, 0, (16, 64))


def test_no_panorama_is_higher_than_the_sphere() -> None:
    assert draw_panorama(0, 0, (32, 64)).rgb.shape == (32, 64, 3)
    with pytest.raises(ValueError, match="at most half as high as wide, not 33x64"):
        draw_panorama(0, 0, (33, 64))
