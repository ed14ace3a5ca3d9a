"""Images with instance ids, from which a network learns masks without classes."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from samantic.config.classes import IGNORE
from samantic.data.folders import stems
from samantic.data.image_files import decode, refuse_lossy
from samantic.data.images import check_size
from samantic.data.pairs import PairedFolder
from samantic.data.samples import Sample, read_sample
from samantic.errors import InputError


class InstanceFolder(PairedFolder):
    """The RGB images of a split, with instance ids in place of class labels; 0 means no instance.

    Where the data set has a folder `instances` (16-bit ids), as generated scenes do, ids are read
    from there. Otherwise every connected region of a class, except class 0, is an instance.
    """

    @cached_property
    def instances(self) -> dict[str, Path]:
        """The images of instance ids by name; empty if there is no folder `instances`."""
        folder = self.root / "instances"
        return stems(folder) if folder.is_dir() else {}

    def __getitem__(self, index: int) -> Sample:
        files = self.files[index]
        sample = read_sample(files._replace(labels=None), self.code, self.camera)
        if self.instances:
            if files.name not in self.instances:
                raise InputError(f"{self.root / 'instances'}: {files.name} is missing; add its ids")
            source = self.instances[files.name]
            ids = read_instances(source).astype(np.int32)
        else:
            source = cast(Path, files.labels)
            ids = components(self.code.read(source))
        if sample.rgb is not None:
            check_size(ids, str(source), np.empty(sample.rgb.shape[1:]), str(files.rgb))
        images = {name: x for name, x in sample.images.items() if name == "rgb"}
        sample = Sample(sample.name, images, torch.from_numpy(ids.astype(np.int64)))
        return sample if self.transform is None else self.transform(sample)


def read_instances(path: Path) -> NDArray[np.uint16]:
    """Read an image of instance ids as (H, W): the values in the file, or its palette indices.

    Raises:
        InputError: The file is not readable, was compressed with loss, or has several channels,
            transparent pixels or ids beyond 16 bits.
    """
    found = decode(path)
    refuse_lossy(found)
    if found.kind == "colour" or found.samples.dtype.kind not in "iu":
        raise InputError(f"{path}: instance ids must be one channel of integers; save the ids")
    found.refuse_dropped()
    found.refuse_transparent("id")
    low, high = found.samples.min(), found.samples.max()
    if low < 0 or high > np.iinfo(np.uint16).max:
        raise InputError(f"{path}: ids {low} to {high} do not fit 16 bits; renumber them from 0")
    return found.samples.astype(np.uint16)


def components(labels: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Number the connected regions (8 neighbours) of (H, W) class ids; 0 and 255 become 0."""
    numbered = np.zeros(labels.shape, np.int32)
    for label in np.setdiff1d(np.unique(labels), [0, IGNORE]):
        regions, _ = ndimage.label(labels == label, np.ones((3, 3)))
        numbered[regions > 0] = regions[regions > 0] + numbered.max()
    return numbered
