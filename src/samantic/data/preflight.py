"""Check some files of a split before any work, for faults that all of its files may share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from samantic.config.classes import IGNORE
from samantic.config.scaling import Scaling
from samantic.data.camera import Camera
from samantic.data.kinds import refuse_mixed
from samantic.data.labels import LabelCode
from samantic.data.pairs import PairedFolder
from samantic.data.samples import Files, read_pair
from samantic.data.thermal import RawThermal, refuse_unit
from samantic.errors import InputError

FRAMES = 32
"""Number of thermal images that are checked, evenly spaced."""


class Keys(NamedTuple):
    """Names of the options that set these values, as the user typed them.

    Attributes:
        scaling: The thermal scaling.
        colours: The colours of the classes, here black and white.
    """

    scaling: str
    colours: str


CONFIGURED = Keys("data.thermal_scaling", 'data.colors ["#000000", "#ffffff"]')
TYPED = Keys("--thermal-scaling", "--colors #000000,#ffffff")


def check_split(pairs: PairedFolder, keys: Keys) -> None:
    """Refuse a split whose thermal images or labels do not fit its configuration.

    Files that cannot be read are skipped: they are reported when they are needed.

    Args:
        pairs: The split, with its camera.
        keys: Names of the options, for the message.

    Raises:
        InputError: Thermal values or image sizes do not fit the camera, or labels are black and
            white masks.
    """
    where, scaling = f"{pairs.root}, {pairs.split}", pairs.camera.scaling
    check_kinds(pairs.files, scaling, where, keys)
    check_unit(pairs.files, scaling, where, keys)
    check_cameras(pairs.files, pairs.camera)
    counts = np.zeros(256, np.int64)
    stride = max(1, len(pairs.files) // FRAMES)
    for labels in _labels([*pairs.files[::stride], *pairs.files], pairs.code):
        counts += np.bincount(labels.ravel(), minlength=256)
        if counts[1:IGNORE].any():
            return
    refuse_masks(counts, pairs.code, where, keys)


def check_cameras(files: Sequence[Files], camera: Camera, *, depth: bool = True) -> None:
    """Refuse pairs whose depth or sizes do not fit a camera; see `Camera.check`.

    Up to three pairs are checked: the first, the middle and the last. If one of them fits, nothing
    is refused here.

    Args:
        files: The pairs.
        camera: How they are read.
        depth: Whether to refuse pairs of which only the depth does not fit.

    Raises:
        InputError: No checked pair fits.
    """
    first: InputError | None = None
    for pair in {place: files[place] for place in (0, len(files) // 2, -1) if files}.values():
        try:
            rgb, raw = read_pair(pair, camera)
        except InputError:  # reported when it is needed
            continue
        if raw is None or not (depth or (rgb is not None and camera.misplaces(raw, rgb))):
            return
        try:
            camera.check(raw, rgb, str(pair.thermal), str(pair.rgb))
            return
        except InputError as error:
            first = first or error
    if first is not None:
        raise first


def check_unit(files: Sequence[Files], scaling: Scaling, where: str, keys: Keys) -> None:
    """Refuse thermal values that do not fit a fixed range (`refuse_mixed`, `refuse_unit`).

    Other scalings are not checked here: `8-bit` refuses every deeper image when it is read.

    Args:
        files: The pairs.
        scaling: How thermal values become 0..1.
        where: What to call the pairs in the error.
        keys: Names of the options, for the error.

    Raises:
        InputError: The values do not fit.
    """
    if scaling.kind == "fixed":
        seen = _seen(files, scaling)
        refuse_mixed(seen, scaling, where, keys.scaling)
        refuse_unit(seen, scaling, where, keys.scaling)


def check_kinds(files: Sequence[Files], scaling: Scaling, where: str, keys: Keys) -> None:
    """Refuse a data set with several kinds of thermal values, unless the scaling is `frame`.

    Raises:
        InputError: There are several kinds; see `refuse_mixed`.
    """
    if scaling.kind != "frame":
        refuse_mixed(_seen(files, scaling), scaling, where, keys.scaling)


def _seen(files: Sequence[Files], scaling: Scaling) -> list[tuple[str, RawThermal]]:
    """Thermal images of some pairs, evenly spaced, with their names."""
    stride = max(1, -(-len(files) // FRAMES))
    return [*_thermal(files[::stride], scaling)]


def refuse_masks(counts: NDArray[np.int64], code: LabelCode, where: str, keys: Keys) -> None:
    """Refuse labels that hold only 0 and 255: black and white masks.

    Args:
        counts: (K + 1 or more,) number of pixels of each class; the last entry counts ignored
            pixels.
        code: How label values map to classes. Nothing is refused where it gives ids, further
            ignored ids, gray colours or objects.
        where: What to call the labels in the error.
        keys: Names of the options, for the error.

    Raises:
        InputError: The labels are such masks.
    """
    plain = not (code.ids or code.ignored or code.gray or code.objects)
    if plain and counts[0] and counts[-1] and not counts[1:-1].any():
        raise InputError(
            f"{where}: labels hold only 0 and 255, and 255 does not count; if they are masks in "
            f"black and white, give {keys.colours}, or save ids 0 and 1"
        )


def _thermal(files: Sequence[Files], scaling: Scaling) -> Iterator[tuple[str, RawThermal]]:
    for pair in files:
        try:
            alone = {n: path for n, path in pair.images.items() if path == pair.thermal}
            thermal = read_pair(pair._replace(images=alone), Camera(scaling))[1]
        except InputError:  # reported when it is needed
            continue
        if thermal is not None:
            yield pair.name, thermal


def _labels(files: Sequence[Files], code: LabelCode) -> Iterator[NDArray[np.uint8]]:
    for pair in files:
        if pair.labels is None:
            continue
        try:
            yield code.read(pair.labels)
        except InputError:  # reported when it is needed
            continue
