"""Data sets of generated scenes, written in the original layouts of the benchmarks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from samantic.config.data import Layout
from samantic.data.cards.card import DatasetSpec
from samantic.data.cards.catalog import CATALOG
from samantic.data.cards.rgb import CITYSCAPES
from samantic.data.folders import filled
from samantic.files import replacing, write_json, write_text
from samantic.progress import progress
from samantic.scenes import Scene, draw_scene
from samantic.scenes.worlds import draw_panorama, draw_pinhole, draw_room
from samantic.strings import substitute

LABELS: dict[Layout, tuple[int, ...]] = {
    "mfnet": tuple(range(9)),
    "pst900": (0, 0, 4, 2, 0, 0, 0, 1, 3),
    "fmb": (0, 9, 8, 13, 2, 14, 3, 5, 1),
    "msrs": tuple(range(9)),
    "cart": (2, 10, 11, 6, 5, 3, 4, 7, 9),
    "pairs": tuple(range(9)),
    "cityscapes": (*CITYSCAPES.ids, 8, 7),
    "densepass": (*range(19), 1, 0),
    "wildpass": (11, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 17, 0, 4, 5, 8, 0, 0, 0, 13, 24),
    "stanford2d3d": tuple(range(1, 14)),
}
"""For each layout, the label ids that stand for the classes of the scenes. Flat scenes have MFNet's
nine classes; those of PST900, FMB and CART are similar in size or heat. Streets in three dimensions
have Cityscapes' 19 classes, curb and crosswalk; rooms have Stanford2D3D's."""

DRAW: dict[Layout, tuple[Callable[[int, int, tuple[int, int]], Scene], tuple[int, int]]] = {
    "cityscapes": (draw_pinhole, (512, 1024)),
    "densepass": (draw_panorama, (400, 2048)),
    "wildpass": (draw_panorama, (400, 2048)),
    "stanford2d3d": (draw_room, (512, 1024)),
}
"""The function that draws a layout's scenes, with their default height and width; elsewhere
`draw_scene` at 480x640."""

NAMES: dict[Layout, str] = {
    "cart": "{seed:05d}-{index:05d}{time}",
    "cityscapes": "world{seed}-world{seed}_{index:06d}_000000",
    "densepass": "cs-{seed:05d}{index:05d}_",
    "wildpass": "cs-{seed:05d}{index:05d}",
    "stanford2d3d": "camera_{seed:05d}{index:05d}_office_1_frame_equirectangular_domain",
}
"""Names of scenes in layouts that do not use seed, index and D or N for day or night."""

COUNTS = (27000, 20)
"""For 16-bit thermal images: the count of gray level 0, and counts per gray level."""


_COMPRESSION: dict[str, dict[str, Any]] = {".png": {"compress_level": 3}, ".jpg": {"quality": 95}}


def write_scenes(
    root: Path,
    layout: Layout,
    splits: Mapping[str, Sequence[int]],
    *,
    seed: int,
    size: tuple[int, int] | None = None,
) -> None:
    """Draw the scenes (seed, index) of every split and write them under root.

    Besides the layout's images and labels, instances/NAME.png (16-bit ids) is written, where NAME
    is the name that `PairedFolder` gives the scene; for a layout with only RGB, so is
    thermal/NAME.png. A layout without a folder for each split gets SPLIT.txt, SPLIT_day.txt and
    SPLIT_night.txt at the end, with one NAME a line. Every file appears under its name only when it
    is complete. Existing splits of other names are kept; those of the same name are replaced.

    Args:
        root: Folder of the data set, created if missing.
        layout: The data set whose files are imitated.
        splits: Scene indices of each split.
        seed: Family of scenes, 0 or more.
        size: Height and width in pixels; None means the layout's default.

    Raises:
        ValueError: If the layout is unknown, there is no split, or a split is empty, names a scene
            twice or has a name that is no plain file name.
    """
    _check(layout, splits)
    draw, usual = DRAW.get(layout, (draw_scene, (480, 640)))
    spec = CATALOG[layout]
    homes: dict[int, list[str]] = defaultdict(list)
    for split, indices in splits.items():
        for index in indices:
            homes[index].append(split)
    names: dict[int, str] = {}
    for index in progress(sorted(homes), "scenes"):
        scene = draw(seed, index, size or usual)
        form = NAMES.get(layout, "{seed:05d}_{index:05d}{time}")
        names[index] = form.format(seed=seed, index=index, time="N" if scene.night else "D")
        for split in homes[index]:
            _write_pictures(root, names[index], _pictures(scene, layout, split))
    if spec.objects:
        kinds = ["<UNK>", *spec.classes]
        write_json(root / spec.objects, [f"{kind}_1_office_1_1" for kind in kinds])
    if "{split}" not in spec.labels:
        for split, indices in splits.items():
            _write_lists(root, spec, split, [names[index] for index in indices])


def _write_pictures(root: Path, name: str, pictures: Mapping[str, Image.Image]) -> None:
    """Write the picture of each folder or pattern, complete or not at all."""
    for place, picture in pictures.items():
        with replacing(root / filled(place, name)) as temporary:
            picture.save(temporary, **_COMPRESSION.get(temporary.suffix, {}))


def _write_lists(root: Path, spec: DatasetSpec, split: str, names: Sequence[str]) -> None:
    """Write the lists of all scenes of a split, of those by day and of those by night."""
    for ending, times in (("", "DN"), ("_day", "D"), ("_night", "N")):
        chosen = [name for name in names if name[-1] in times]
        if "*" in spec.rgb:  # such a list names the files
            chosen = [f"{filled(spec.rgb, n)},{filled(spec.labels, n)}" for n in chosen]
        listing = substitute(spec.listing, split=split + ending)
        write_text(root / listing, "".join(f"{line}\n" for line in chosen))


def _check(layout: str, splits: Mapping[str, Sequence[int]]) -> None:
    """Raise ValueError if this cannot be written."""
    if layout not in get_args(Layout):
        raise ValueError(f"layout must be one of {', '.join(get_args(Layout))}, not {layout!r}")
    if not splits:
        raise ValueError("no split to write: give at least one, such as {'train': range(10)}")
    for split, indices in splits.items():
        if not split.replace("_", "").replace("-", "").isalnum():
            raise ValueError(f"a split is named with letters, digits, - and _, not {split!r}")
        if len(indices) == 0:
            raise ValueError(f"split {split!r} is empty: give at least one scene index")
        if len(set(indices)) < len(indices):
            raise ValueError(f"split {split!r} names a scene twice")


def _pictures(scene: Scene, layout: Layout, split: str) -> dict[str, Image.Image]:
    """Return the picture of a scene that goes into each folder."""
    spec = CATALOG[layout]
    labels = np.array(LABELS[layout], np.uint8)[scene.labels]
    thermal: NDArray[Any] = scene.thermal
    if spec.bits == 16:
        low, step = COUNTS
        thermal = (low + step * thermal.astype(np.uint16)).astype(np.uint16)
    if spec.objects:  # the number of an object as a 24-bit colour
        labels = np.dstack([np.zeros_like(labels), np.zeros_like(labels), labels])
    folders: dict[str, NDArray[Any]] = (
        {spec.images: np.dstack([scene.rgb, thermal])}
        if spec.images
        else {spec.rgb: scene.rgb, spec.thermal or "thermal": thermal}
    )
    folders |= {spec.labels: labels, "instances": scene.instances}
    return {
        spec.of_split(folder, split)[0]: Image.fromarray(pixels)
        for folder, pixels in folders.items()
    }


def split_indices(count: int) -> dict[str, list[int]]:
    """Split scenes 0 .. count - 1 into train, val and test of 70, 10 and 20 %.

    Neighbours, which are day and night in turn, stay together, so that every split of two scenes
    or more has both.

    Args:
        count: Number of scenes, 3 or more.

    Returns:
        The indices of ``train``, ``val`` and ``test``, each one or more.

    Raises:
        ValueError: If count is below 3.
    """
    if count < 3:
        raise ValueError(f"{count} scenes cannot fill train, val and test: ask for at least 3")
    test = max(1, round(0.2 * count))
    val = max(1, round(0.1 * count))
    train = count - val - test
    bounds = {"train": (0, train), "val": (train, train + val), "test": (train + val, count)}
    return {name: list(range(*bound)) for name, bound in bounds.items()}
