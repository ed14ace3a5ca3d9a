"""The types of image that a program may pass: files, PIL images, arrays and torch tensors."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeGuard, cast, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from samantic.config.options import quoted
from samantic.config.scaling import Scaling
from samantic.data.images import ImageLike, rgb_array, thermal_array
from samantic.data.thermal import RawThermal
from samantic.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

Picture: TypeAlias = "ImageLike | Tensor"
"""An image file, a PIL image, an array, or a tensor of torch."""

Channels = Literal["rgb", "bgr"]
"""The order of the channels of arrays and tensors; OpenCV reads files as bgr."""

ZIPPED = "predict_batch(zip(rgb, thermal)) takes a batch"


def colour_of(image: Picture, channels: Channels = "rgb") -> NDArray[np.uint8]:
    """An RGB image as (H, W, 3) uint8.

    Args:
        image: Path, PIL image, or an array (H, W, 3) or tensor (3, H, W) or (H, W, 3) of uint8, or
            of floats in 0..1.
        channels: The order of the channels in arrays and tensors. Files and PIL images define their
            own order.

    Raises:
        InputError: The image is none of these; the message says what it is.
    """
    if channels not in get_args(Channels):
        raise InputError(f"channels is {quoted(channels)}; it must be rgb or bgr")
    pixels = _plain(image, "rgb")
    if channels == "rgb":
        return rgb_array(pixels)
    if not isinstance(pixels, np.ndarray):
        raise InputError(
            f'rgb: channels="bgr" is for arrays and tensors; a {type(pixels).__name__} says the '
            "order itself, so leave channels out"
        )
    return np.ascontiguousarray(rgb_array(pixels)[..., ::-1])


def heat_of(image: Picture, scaling: Scaling) -> RawThermal:
    """A thermal image as (H, W) in the sensor's own unit.

    Args:
        image: Path, PIL image, or an array (H, W) or (H, W, 1) or tensor (H, W), (1, H, W) or (H,
            W, 1).
        scaling: How the model scales thermal values. With the scaling 8-bit, a tensor of floats in
            0..1 holds gray levels divided by 255, as torchvision makes them.

    Raises:
        InputError: The image is none of these; the message says what it is.
    """
    pixels = _plain(image, "thermal")
    if not isinstance(pixels, np.ndarray):
        return thermal_array(pixels, planck=scaling.planck)
    if pixels.ndim == 3 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    levels = _is_tensor(image) and pixels.ndim == 2 and pixels.dtype.kind == "f"
    if (
        levels
        and scaling.kind == "8-bit"
        and pixels.size
        and pixels.min() >= 0
        and pixels.max() <= 1
    ):
        return np.rint(255 * pixels).astype(np.uint8)
    return thermal_array(pixels, planck=scaling.planck)


def _plain(image: Picture, name: str) -> ImageLike:
    """One image; a tensor becomes an array with channels last. Lists and batches are refused.

    Raises:
        InputError: The image is a list or a batch.
    """
    if _is_tensor(image):
        image = _array_of(image)
    if isinstance(image, list | tuple):
        raise InputError(
            f"{name}: a {type(image).__name__} of {len(image)}; predict takes one image, and "
            "predict_batch a list of pairs (rgb, thermal)"
        )
    if isinstance(image, np.ndarray) and image.ndim > 2 and _is_batch(image.shape, name):
        raise InputError(
            f"{name}: a batch of {image.shape[0]} images, {image.shape}; predict takes one, and "
            f"{ZIPPED}"
        )
    return cast(ImageLike, image)


def _is_tensor(image: object) -> TypeGuard[Tensor]:
    torch = sys.modules.get("torch")  # if torch is not imported, there is no tensor
    return torch is not None and isinstance(image, torch.Tensor)


def _is_batch(shape: tuple[int, ...], name: str) -> bool:
    """Whether the first axis counts images; a batch of thermal images may lack the channel axis."""
    return len(shape) == 4 or (name == "thermal" and len(shape) == 3 and shape[-1] not in (1, 3, 4))


def _array_of(tensor: Tensor) -> NDArray[Any]:
    """Convert a tensor to an array; the channels of a single image become the last axis."""
    values = tensor.detach().cpu()
    if values.is_floating_point():
        values = values.float()  # numpy has no bfloat16
    if values.ndim == 3 and values.shape[0] in (1, 3, 4):
        values = values.permute(1, 2, 0)
    array: NDArray[Any] = values.numpy()
    return array


def several(images: object) -> bool:
    """Whether a program passes a list of images, or a batch as one array or tensor."""
    return isinstance(images, list | tuple) or (
        not isinstance(images, str | Image.Image) and len(getattr(images, "shape", ())) == 4
    )


def paired(
    rgb: Sequence[Picture | None] | None, thermal: Sequence[Picture | None] | None
) -> list[tuple[Picture | None, Picture | None]]:
    """The pairs of two lists or batches; one of the two may be None.

    Raises:
        InputError: They have different lengths, or one is a single image.
    """
    given = {name: x for name, x in (("rgb", rgb), ("thermal", thermal)) if x is not None}
    for name, images in given.items():
        batch = name == "thermal" and len(getattr(images, "shape", ())) == 3  # (N, H, W)
        if not batch and not several(images):
            raise InputError(f"{name}: one image with a list; give two lists of one length")
    counts = {name: len(images) for name, images in given.items()}
    if len(set(counts.values())) > 1:
        raise InputError(
            f"{counts['rgb']} RGB images, but {counts['thermal']} thermal ones; give a partner for "
            "each, or None in its place"
        )
    count = next(iter(counts.values()), 0)
    return list(
        zip(
            [None] * count if rgb is None else rgb,
            [None] * count if thermal is None else thermal,
            strict=True,
        )
    )
