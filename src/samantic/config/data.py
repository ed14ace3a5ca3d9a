"""The options of the labelled pairs: where they lie, and how they are read. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from samantic.config.classes import check_colours, check_names
from samantic.config.matrix import check_matrix
from samantic.config.options import Default, Options
from samantic.config.scaling import INVERTED, parse_scaling
from samantic.errors import InputError

Layout = Literal[
    "mfnet",
    "pst900",
    "fmb",
    "msrs",
    "cart",
    "pairs",
    "cityscapes",
    "densepass",
    "wildpass",
    "stanford2d3d",
]


TILE = 1536
"""Default side of tiles in pixels; an image with a longer side is predicted in tiles. A model that
saw larger images in training uses larger tiles."""


MOST_TILE = 65536
"""Largest side of a tile in pixels."""


@dataclass(frozen=True)
class DataConfig(Options, section="data"):
    """The labelled pairs.

    Args:
        root: Folder of the data set.
        layout: How the files lie in it; see docs/datasets.md.
        classes: Class names by label id, for the layout pairs; quote words that YAML does not
            read as text, such as "no".
        rgb: Folder of RGB images below root, or a pattern with * such as "drive*/*_rgb.*", for the
            layout pairs; files whose stars match the same text are a pair. It may be absolute, and
            {split} in it stands for the split. Without thermal, the data set has RGB only.
        thermal: The same for thermal images.
        labels: The same for label images.
        rgbt: The same for 4-channel images, in place of rgb and thermal.
        allow_unpaired: Whether names that lack a file are left out and listed; otherwise they are
            an error.
        colors: Colour of each class as #rrggbb, for the layout pairs; label images may then hold
            these colours instead of ids (label images of one channel only if all colours are gray);
            see docs/datasets.md.
        train: Split to train on; "train[:90%]" is its first nine tenths.
        val: Validation split, which selects the best state, e.g. "train[90%:]" if the data set has
            none; null keeps the last state.
        test: Test split, which is only measured at the end and never used to choose anything; null
            measures nothing.
        thermal_scaling: How thermal values become 0..1: 8-bit (gray levels; deeper files are
            refused), LOW,HIGH in the files' unit, UNIT:LOW,HIGH in degrees Celsius, dataset (a
            range estimated on the training split), frame (each image's own range) or, in a
            distillation, teacher (as in the teacher's training); see docs/thermal-images.md.
        thermal_inverted: Whether hot is dark in the thermal files (black-hot): they are inverted,
            and the model stores this.
        rig: How the thermal camera is aligned: a 3x3 or 2x3 matrix that maps thermal pixels to RGB
            pixels, a YAML file that holds it as thermal_to_rgb, or resize for images of the same
            view in two sizes; null for aligned images; see docs/own-data.md.
        panorama: Whether images of the layout pairs are full panoramas, whose left and right edge
            meet; null means that they are not.
        eval_size: Images are resized to this short side in pixels, with their aspect ratio, for
            validation, test and prediction; labels and metrics stay in the original size. null does
            not resize.
        workers: Processes that load and augment images; 0 loads them in the main process.
    """

    root: str
    layout: Layout = "mfnet"
    classes: list[str] | None = None
    rgb: str | None = None
    thermal: str | None = None
    labels: str | None = None
    rgbt: str | None = None
    allow_unpaired: bool = False
    colors: list[str] | None = None
    train: str = "train"
    val: str | None = Default("val")
    test: str | None = Default("test")
    thermal_scaling: str = Default("8-bit")
    thermal_inverted: bool = False
    rig: str | list[list[float]] | None = None
    panorama: bool | None = None
    eval_size: int | None = None
    workers: int = 2

    @property
    def hot_is_dark(self) -> bool:
        """Whether thermal files are black-hot, by either of the two options that can say so."""
        return self.thermal_inverted or self.thermal_scaling.startswith(INVERTED)

    def broken(self) -> Iterator[str]:
        if not self.root.strip():
            yield "data.root is empty; give the folder of the data set"
        checks: list[Callable[[], None]] = [
            lambda: _check_scaling(self.thermal_scaling),
            lambda: check_matrix(self.rig),
        ]
        if self.classes is not None:
            checks.append(lambda: check_names(self.classes or [], "data.classes"))
        if self.colors is not None and self.layout == "pairs":  # others refuse them
            checks.append(lambda: check_colours(self.colors or [], self.classes, "data.colors"))
        for look in checks:
            try:
                look()
            except InputError as error:
                yield str(error)


def _check_scaling(text: str) -> None:
    """Refuse a text that is no scaling.

    Raises:
        InputError: It is no scaling.
    """
    if text not in ("dataset", "teacher"):
        try:
            parse_scaling(text)
        except InputError as error:
            raise InputError(f"data.thermal_scaling: {error}") from None
