"""Label images whose pixels are ids of 1 to 16 bits, or palette indices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samantic.config.classes import IGNORE
from samantic.convert.export import VOID, settle_size
from samantic.convert.regions import Patch, Size
from samantic.data.image_files import decode, refuse_lossy
from samantic.data.raster import Raster
from samantic.errors import InputError

MOST_IDS = 1000
"""Largest number of ids in one image; more are objects or measured values, not classes."""


def read_label_image(path: Path, known: Size | None) -> Raster:
    """Read a label image of any depth that was saved without loss.

    Raises:
        InputError: The image is not readable, lossy, or differs in size from its image.
    """
    found = decode(path)
    refuse_lossy(found)
    settle_size(found.samples.shape[:2], known, str(path))
    return found


def ids_of(found: Raster) -> NDArray[Any]:
    """Ids or palette indices (H, W), transparent or not; three equal channels count as one.

    Raises:
        InputError: The image holds colours, or values that are no whole numbers.
    """
    samples = found.samples
    if found.kind == "colour":
        if (samples != samples[..., :1]).any():
            raise InputError(
                f"{found.name}: holds colours, no ids; say what they stand for by --classes and "
                "--colors, or a --map file with lines such as `'#ff0000': car`"
            )
        samples = samples[..., 0]
    if samples.dtype.kind == "f":
        if not (np.isfinite(samples).all() and (samples == samples.round()).all()):
            raise InputError(f"{found.name}: values that are no whole numbers; save ids")
        samples = samples.astype(np.int64)
    return samples


def id_patches(ids: NDArray[Any], names: Mapping[int, str] | None, where: str) -> Iterator[Patch]:
    """The pixels of each id.

    Args:
        ids: (H, W).
        names: Labels by id; 255 without a name is ignored. None if the ids themselves are the
            labels.
        where: Name of the image in errors.

    Raises:
        InputError: An id has no name, or there are too many ids.
    """
    found = np.unique(ids).tolist()
    if len(found) > MOST_IDS:
        raise InputError(f"{where}: {len(found)} different values; label images hold class ids")
    for value in found:
        if names is None:
            yield Patch(str(value), ids == value)
        elif value in names:
            yield Patch(names[value], ids == value)
        elif value == IGNORE:
            yield Patch(VOID, ids == value)
        else:
            raise InputError(
                f"{where}: id {value}, which the export's list does not name; correct the list"
            )
