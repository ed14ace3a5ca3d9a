"""One pair: its files, and its images and labels as tensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from samantic.data.camera import Camera, RawPair
from samantic.data.images import check_size, read_both
from samantic.data.labels import LabelCode
from samantic.data.sensors import SENSORS, given


class Files(NamedTuple):
    """The files of one pair.

    Attributes:
        name: File stem.
        images: The image of each sensor; a 4-channel file is the image of both `rgb` and `thermal`.
        labels: The label image, or None.
    """

    name: str
    images: Mapping[str, Path]
    labels: Path | None = None

    @property
    def rgb(self) -> Path | None:
        """The RGB image."""
        return self.images.get("rgb")

    @property
    def thermal(self) -> Path | None:
        """The thermal image."""
        return self.images.get("thermal")

    @property
    def paths(self) -> list[Path | None]:
        """The image file of each sensor; None for a missing one."""
        return [self.images.get(name) for name in SENSORS]


class Sample(NamedTuple):
    """One pair in memory.

    Attributes:
        name: File stem.
        images: (C, H, W) float32 in [0, 1] for each sensor that the pair has.
        labels: (H, W) int64, 255 ignored, or None.
        inside: (H, W) bool, the pixels that come from the image and not from padding; None for all.
    """

    name: str
    images: Mapping[str, Tensor]
    labels: Tensor | None
    inside: Tensor | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of its images in pixels."""
        height, width = next(iter(self.images.values())).shape[-2:]
        return height, width

    @property
    def rgb(self) -> Tensor | None:
        """The RGB image, (3, H, W)."""
        return self.images.get("rgb")

    @property
    def thermal(self) -> Tensor | None:
        """The thermal image, (1, H, W)."""
        return self.images.get("thermal")

    def batch(self) -> tuple[Tensor | None, Tensor | None]:
        """The RGB and the thermal image as batches of one, (1, C, H, W); None for a missing one."""
        rgb, thermal = (None if x is None else x[None] for x in (self.rgb, self.thermal))
        return rgb, thermal


def read_pair(files: Files, camera: Camera) -> RawPair:
    """Read RGB (H, W, 3) uint8 and raw thermal (h, w) of a pair; None for a missing modality.

    Args:
        files: The pair.
        camera: If its scaling uses Planck's law, thermal becomes kelvin; else it stays raw.

    Raises:
        InputError: A file is broken, or too small.
    """
    return read_both(files.rgb, files.thermal, planck=camera.scaling.planck)


def read_images(
    files: Files, camera: Camera
) -> tuple[NDArray[np.uint8] | None, NDArray[np.float32] | None]:
    """Read RGB (H, W, 3) uint8 and thermal (H, W) in 0..1, scaled and warped by a camera.

    Raises:
        InputError: A file is broken or too small, or the thermal image does not fit the camera.
    """
    return _seen(files, read_pair(files, camera), camera)


def _seen(
    files: Files, raw: RawPair, camera: Camera
) -> tuple[NDArray[np.uint8] | None, NDArray[np.float32] | None]:
    """`read_images` for images that are already in memory."""
    rgb, heat = raw
    if heat is None:
        return rgb, None
    return rgb, camera.see(heat, rgb, str(files.thermal), str(files.rgb))


def read_sample(files: Files, code: LabelCode, camera: Camera) -> Sample:
    """Read one pair with its labels, if it has any.

    Raises:
        InputError: A file is broken, sizes differ, a label stands for no class, or the thermal
            image does not fit the camera.
    """
    return make_sample(files, read_pair(files, camera), code, camera)


def make_sample(files: Files, raw: RawPair, code: LabelCode, camera: Camera) -> Sample:
    """`read_sample` for a pair whose images are already in memory.

    Raises:
        InputError: Sizes differ, a label stands for no class, or the thermal image does not fit the
            camera.
    """
    rgb, thermal = _seen(files, raw, camera)
    labels = None
    if files.labels is not None:
        ids = code.read(files.labels)
        for pixels, path in ((rgb, files.rgb), (thermal, files.thermal)):
            if pixels is not None:
                check_size(ids, str(files.labels), pixels, str(path))
        labels = torch.from_numpy(ids.astype(np.int64))
    images = {
        "rgb": None if rgb is None else to_tensor(rgb),
        "thermal": None if thermal is None else torch.from_numpy(thermal)[None],
    }
    return Sample(files.name, given(images), labels)


def to_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """Convert (H, W, 3) uint8 to (3, H, W) float32 in [0, 1]."""
    channels_first = pixels.transpose(2, 0, 1)
    return torch.from_numpy(np.array(channels_first, np.float32, order="C")) / 255
