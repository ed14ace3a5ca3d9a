"""The seeded street scenes: exact, rich, and beyond the reach of either camera alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.ensemble import RandomForestClassifier

from samantic.scenes import Scene, draw_scene
from samantic.scenes import write as write
from samantic.scenes.write import split_indices, write_scenes

SMALL = (96, 128)
PERSON, CURVE, CONE, BUMP = 2, 4, 7, 8


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [draw_scene(5, index, SMALL) for index in range(80)]


def grown(mask: NDArray[np.bool_], steps: int) -> NDArray[np.bool_]:
    """Return a mask grown by so many pixels to all four sides."""
    for _ in range(steps):
        padded = np.pad(mask, 1)
        mask = mask | padded[2:, 1:-1] | padded[:-2, 1:-1] | padded[1:-1, 2:] | padded[1:-1, :-2]
    return mask


def contrast(scene: Scene, label: int) -> NDArray[np.float64]:
    """Return by how much each thing of a class is warmer than the ring around its foot."""
    found = []
    for instance in np.unique(scene.instances[scene.labels == label]):
        mask = scene.instances == instance
        if mask.sum() < 150:
            continue
        rows = np.flatnonzero(mask.any(axis=1))
        foot = np.arange(mask.shape[0])[:, None] > (rows[0] + rows[-1]) / 2
        ring = grown(mask, 5) & ~grown(mask, 2) & foot & (scene.labels == 0)
        if ring.sum() >= 30:
            found.append(scene.thermal[mask].mean() - np.median(scene.thermal[ring]))
    return np.array(found)


def test_same_arguments_give_same_bytes_in_any_order() -> None:
    first = draw_scene(3, 7, SMALL)
    draw_scene(4, 2, SMALL)
    again = draw_scene(3, 7, SMALL)
    for one, two in zip(first, again, strict=True):
        assert np.array_equal(np.asarray(one), np.asarray(two))


def test_seed_and_index_matter() -> None:
    labels = [draw_scene(*key, SMALL).labels for key in ((3, 7), (3, 9), (4, 7))]
    assert not np.array_equal(labels[0], labels[1])
    assert not np.array_equal(labels[0], labels[2])


def test_shapes_types_and_hours() -> None:
    for index in (0, 1):
        scene = draw_scene(0, index, (100, 140))
        assert scene.rgb.shape == (100, 140, 3)
        assert scene.rgb.dtype == np.uint8
        assert scene.thermal.shape == (100, 140)
        assert scene.thermal.dtype == np.uint8
        assert scene.labels.dtype == np.uint8
        assert scene.instances.dtype == np.uint16
        assert scene.night == (index == 1)


def test_hour_can_be_chosen_and_leaves_the_layout_alone() -> None:
    day, night = (draw_scene(0, 0, SMALL, night=dark) for dark in (False, True))
    assert night.night
    assert not day.night
    assert np.array_equal(day.labels, night.labels)
    assert np.array_equal(day.instances, night.instances)


def test_night_is_dark(scenes: list[Scene]) -> None:
    day = np.mean([scene.rgb.mean() for scene in scenes if not scene.night])
    night = np.mean([scene.rgb.mean() for scene in scenes if scene.night])
    assert night < 0.4 * day


def test_every_class_occurs_often(scenes: list[Scene]) -> None:
    seen = np.array([[np.sum(s.labels == c) >= 12 for c in range(9)] for s in scenes])
    assert (seen[:, 1:].mean(axis=0) > 0.4).all()
    assert 4 <= seen[:, 1:].sum(axis=1).mean() <= 7


def test_every_pixel_has_an_instance_and_every_instance_one_class(scenes: list[Scene]) -> None:
    for scene in scenes[:20]:
        assert scene.instances.min() > 0
        pairs = np.unique(np.stack([scene.instances.ravel(), scene.labels.ravel()]), axis=1)
        assert len(np.unique(pairs[0])) == pairs.shape[1]


@pytest.mark.parametrize("label", [CURVE, CONE, BUMP])
def test_paint_and_cones_have_no_heat_of_their_own_by_night(label: int) -> None:
    night = [draw_scene(6, index, (240, 320)) for index in range(1, 40, 2)]
    cold = np.abs(np.concatenate([contrast(scene, label) for scene in night]))
    warm = np.concatenate([contrast(scene, PERSON) for scene in night])
    assert len(cold) >= 5
    assert np.median(cold) < 4
    assert np.median(warm) > 15


def test_layout_does_not_depend_on_resolution() -> None:
    for index in range(4):
        large, small = draw_scene(1, index), draw_scene(1, index, (240, 320))
        near = large.labels[1::2, 1::2]
        assert np.mean(near == small.labels) >= 0.97
        things = (near > 0) | (small.labels > 0)
        assert np.mean((near == small.labels)[things]) >= 0.85


def test_colour_and_heat_of_a_pixel_do_not_tell_its_class(scenes: list[Scene]) -> None:
    def pixels(some: list[Scene]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        values = [np.dstack([scene.rgb, scene.thermal]).reshape(-1, 4) for scene in some]
        return np.concatenate(values), np.concatenate([scene.labels.ravel() for scene in some])

    (x, y), (x_new, y_new) = pixels(scenes[:60]), pixels(scenes[60:])
    rng = np.random.default_rng(0)
    natural = rng.choice(len(y), 20000, replace=False)
    balanced = np.concatenate([rng.choice(np.flatnonzero(y == c), 2000) for c in range(9)])
    for sample in (natural, balanced):
        model = RandomForestClassifier(40, min_samples_leaf=5, random_state=0)
        guess = model.fit(x[sample], y[sample]).predict(x_new)
        pairs = np.bincount(y_new.astype(int) * 9 + guess, minlength=81).reshape(9, 9)
        union = pairs.sum(axis=0) + pairs.sum(axis=1) - pairs.diagonal()
        assert np.mean(pairs.diagonal() / np.maximum(union, 1)) < 0.30


def test_mfnet_layout_reads_back_as_drawn(tmp_path: Path) -> None:
    write_scenes(tmp_path, "mfnet", {"train": [0, 1], "test": [2]}, seed=9, size=SMALL)
    assert (tmp_path / "train.txt").read_text() == "00009_00000D\n00009_00001N\n"
    assert (tmp_path / "train_day.txt").read_text() == "00009_00000D\n"
    assert (tmp_path / "train_night.txt").read_text() == "00009_00001N\n"
    assert (tmp_path / "test_night.txt").read_text() == ""
    scene = draw_scene(9, 1, SMALL)
    image = Image.open(tmp_path / "images/00009_00001N.png")
    assert image.mode == "RGBA"
    assert np.array_equal(np.asarray(image), np.dstack([scene.rgb, scene.thermal]))
    labels = Image.open(tmp_path / "labels/00009_00001N.png")
    assert labels.mode == "L"
    assert np.array_equal(np.asarray(labels), scene.labels)
    instances = Image.open(tmp_path / "instances/00009_00001N.png")
    assert instances.mode == "I;16"
    assert np.array_equal(np.asarray(instances), scene.instances)


def test_pairs_layout_reads_back_as_drawn(tmp_path: Path) -> None:
    write_scenes(tmp_path, "pairs", {"val": [3]}, seed=2, size=SMALL)
    scene, name = draw_scene(2, 3, SMALL), "00002_00003N.png"
    for folder, mode, array in (
        ("rgb", "RGB", scene.rgb),
        ("thermal", "L", scene.thermal),
        ("labels", "L", scene.labels),
        ("instances", "I;16", scene.instances),
    ):
        picture = Image.open(tmp_path / folder / name)
        assert picture.mode == mode
        assert np.array_equal(np.asarray(picture), array)


def test_second_writing_adds_splits_and_replaces_those_of_the_same_name(tmp_path: Path) -> None:
    write_scenes(tmp_path, "mfnet", {"train": [0, 1], "val": [2]}, seed=1, size=SMALL)
    write_scenes(tmp_path, "mfnet", {"val": [4], "test": [3]}, seed=1, size=SMALL)
    lists = {path.name: path.read_text() for path in tmp_path.glob("*.txt")}
    assert lists["train.txt"] == "00001_00000D\n00001_00001N\n"
    assert lists["val.txt"] == "00001_00004D\n"
    assert lists["test.txt"] == "00001_00003N\n"
    assert not [path for path in tmp_path.rglob(".*") if path.is_file()]


def test_interrupted_writing_leaves_no_half_file_and_no_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw_or_stop(seed: int, index: int, size: tuple[int, int]) -> Scene:
        if index == 2:
            raise KeyboardInterrupt
        return draw_scene(seed, index, size)

    monkeypatch.setattr(write, "draw_scene", draw_or_stop)
    with pytest.raises(KeyboardInterrupt):
        write_scenes(tmp_path, "mfnet", {"train": [0, 1, 2]}, seed=1, size=SMALL)
    assert not list(tmp_path.glob("*.txt"))
    pictures = list(tmp_path.rglob("*.png"))
    assert len(pictures) == 6
    for picture in pictures:
        Image.open(picture).load()
    monkeypatch.undo()
    write_scenes(tmp_path, "mfnet", {"train": [0, 1, 2]}, seed=1, size=SMALL)
    assert len((tmp_path / "train.txt").read_text().split()) == 3


@pytest.mark.parametrize("count", [3, 5, 10, 30, 100])
def test_splits_are_whole_disjoint_and_hold_day_and_night(count: int) -> None:
    splits = split_indices(count)
    assert list(splits) == ["train", "val", "test"]
    assert sorted(index for split in splits.values() for index in split) == list(range(count))
    assert all(splits.values())
    for split in splits.values():
        assert len(split) < 2 or len({index % 2 for index in split}) == 2


def test_bad_arguments_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 3"):
        split_indices(2)
    with pytest.raises(ValueError, match="seed and index"):
        draw_scene(-1, 0)
    with pytest.raises(ValueError, match="32 x 32"):
        draw_scene(0, 0, (16, 128))
    with pytest.raises(ValueError, match="mfnet, pst900, fmb, msrs, cart, pairs"):
        write_scenes(tmp_path, "kitti", {"train": [0]}, seed=0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no split"):
        write_scenes(tmp_path, "mfnet", {}, seed=0)
    with pytest.raises(ValueError, match="'train' is empty"):
        write_scenes(tmp_path, "mfnet", {"train": []}, seed=0)
    with pytest.raises(ValueError, match="twice"):
        write_scenes(tmp_path, "mfnet", {"train": [1, 1]}, seed=0)
    with pytest.raises(ValueError, match="letters"):
        write_scenes(tmp_path, "mfnet", {"../train": [1]}, seed=0)
    assert not list(tmp_path.iterdir())
