"""Data sets of seeded street scenes, written in the true layouts of the benchmarks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from samantic.config import Layout
from samantic.data.catalog import CATALOG
from samantic.data.folders import filled
from samantic.data.scenes import Scene, draw_scene
from samantic.data.spec import DatasetSpec
from samantic.files import replacing, write_text

LABELS: dict[Layout, tuple[int, ...]] = {
    "mfnet": tuple(range(9)),
    "pst900": (0, 0, 4, 2, 0, 0, 0, 1, 3),
    "fmb": (0, 9, 8, 13, 2, 14, 3, 5, 1),
    "msrs": tuple(range(9)),
    "cart": (2, 10, 11, 6, 5, 3, 4, 7, 9),
    "pairs": tuple(range(9)),
}
"""Label ids that stand for MFNet's nine classes, of which the scenes are made, in each layout;
those of PST900, FMB and CART are as large, or as warm."""

COUNTS = (27000, 20)
"""Of a 16-bit thermal image: the count of gray level 0, and counts in a level."""


_COMPRESSION: dict[str, dict[str, Any]] = {".png": {"compress_level": 3}, ".jpg": {"quality": 95}}


def write_scenes(
    root: Path,
    layout: Layout,
    splits: Mapping[str, Sequence[int]],
    *,
    seed: int,
    size: tuple[int, int] = (480, 640),
) -> None:
    """Draw the scenes (seed, index) of every split and write them under root.

    Next to the layout's pictures and labels go instances/NAME.png (16-bit ids). A layout without a
    folder for each split gets, last of all, SPLIT.txt, SPLIT_day.txt and SPLIT_night.txt with one
    NAME a line. NAME is ``{seed:05d}_{index:05d}`` and D or N for day or night. Every file appears
    under its name only when complete. Splits of other names already under root stay; those of the
    same name are replaced.

    Args:
        root: Folder of the data set, made if absent.
        layout: Which data set's files to imitate.
        splits: Scene indices of each split.
        seed: Family of scenes, 0 or more.
        size: Height and width in pixels.

    Raises:
        ValueError: If the layout is unknown, there is no split, or a split is empty, names a scene
            twice or has a name that is no plain file name.
    """
    _check(layout, splits)
    homes: dict[int, list[str]] = defaultdict(list)
    for split, indices in splits.items():
        for index in indices:
            homes[index].append(split)
    names: dict[int, str] = {}
    for index in tqdm(sorted(homes), "scenes", disable=None):
        scene = draw_scene(seed, index, size)
        names[index] = f"{seed:05d}_{index:05d}{'N' if scene.night else 'D'}"
        for split in homes[index]:
            _write_pictures(root, names[index], _pictures(scene, layout, split))
    if "{split}" not in CATALOG[layout].labels:
        for split, indices in splits.items():
            _write_lists(root, CATALOG[layout], split, [names[index] for index in indices])


def _write_pictures(root: Path, name: str, pictures: Mapping[str, Image.Image]) -> None:
    """Write the picture of each folder or pattern, complete or not at all."""
    for place, picture in pictures.items():
        path = filled(place, name) if "*" in place else f"{place}/{name}.png"
        with replacing(root / path) as temporary:
            picture.save(temporary, **_COMPRESSION.get(temporary.suffix, {}))


def _write_lists(root: Path, spec: DatasetSpec, split: str, names: Sequence[str]) -> None:
    """Write the lists of all scenes of a split, of those by day and of those by night."""
    for ending, times in (("", "DN"), ("_day", "D"), ("_night", "N")):
        chosen = [name for name in names if name[-1] in times]
        if "*" in spec.rgb:  # such a list names the files
            chosen = [f"{filled(spec.rgb, n)},{filled(spec.labels, n)}" for n in chosen]
        listing = spec.listing.format(split=split + ending)
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
    folders: dict[str, NDArray[Any]] = (
        {spec.images: np.dstack([scene.rgb, thermal])}
        if spec.images
        else {spec.rgb: scene.rgb, spec.thermal: thermal}
    )
    folders |= {spec.labels: labels, "instances": scene.instances}
    return {
        folder.format(split=split): Image.fromarray(pixels) for folder, pixels in folders.items()
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
