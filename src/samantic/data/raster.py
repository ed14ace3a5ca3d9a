"""Decoded image files: their values, and what the values mean.

A pixel of a file is a gray level or a measured value, an index into a palette, or a colour. A
`Raster` returns gray levels, colours, or the stored values. A request that the file cannot answer
correctly is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from samantic.data.headers import Header
from samantic.errors import InputError

GRAY_TOLERANCE = 8
"""Largest difference between the channels of a thermal image that still counts as equal (JPEG)."""

_OPAQUE = 255
_SINGLE = ("1", "L", "LA", "La", "I", "F")


@dataclass(frozen=True)
class Raster:
    """The pixels of an image file.

    Attributes:
        name: What to call the file in an error.
        kind: What a sample is: `gray` (a level or a measured value), `palette` (an index) or
            `colour`.
        samples: (H, W) as the file has them, uint8 to float32; (H, W, 3) uint8 for colours.
        bits: Bits of a sample in the file; samples of fewer than 8 bits reach 2^bits - 1.
        palette: (n, 3) uint8, the colour of each index; empty without a palette.
        opacity: (H, W) uint8; None for a file without opacity.
        channels: Channels of the file, opacity included.
        decoded: Number of channels that were decoded.
        lossy: The kind of lossy compression; "" if there is none.
    """

    name: str
    kind: Literal["gray", "palette", "colour"]
    samples: NDArray[Any]
    bits: int
    palette: NDArray[np.uint8]
    opacity: NDArray[np.uint8] | None
    channels: int
    decoded: int
    lossy: str

    @property
    def step(self) -> int:
        """Gray levels (0..255) between two neighbouring sample values: 85 for 2 bits, 1 for 8."""
        return 255 // (2**self.bits - 1) if self.bits < 8 else 1

    @property
    def gray_palette(self) -> NDArray[np.uint8] | None:
        """(n,) gray level of each index, where the whole palette is gray; else None."""
        same = (self.palette == self.palette[:, :1]).all()
        return self.palette[:, 0] if len(self.palette) and same else None

    def colours(self) -> NDArray[np.uint8]:
        """Colours (H, W, 3): palette indices are looked up, gray levels fill all three channels.

        Raises:
            InputError: The file has more than 8 bits, or an index beyond its palette.
        """
        if self.kind == "colour":
            return self.samples
        if self.kind == "palette":
            if self.samples.max() >= len(self.palette):
                raise InputError(
                    f"{self.name}: index {self.samples.max()}, but its palette has "
                    f"{len(self.palette)} colours; save it as RGB"
                )
            found: NDArray[np.uint8] = self.palette[self.samples]
            return found
        if self.samples.dtype != np.uint8:
            raise InputError(
                f"{self.name}: more than 8 bits a channel ({self.samples.dtype}); convert it to 8 "
                "bits, scaling its range to 0..255"
            )
        return np.repeat((self.samples * np.uint8(self.step))[..., None], 3, axis=-1)

    def levels(self) -> NDArray[Any]:
        """Gray levels (H, W) 0..255, or the unchanged values of a file with more than 8 bits.

        Raises:
            InputError: Its colours are not gray, or a pixel is transparent.
        """
        if self.kind == "gray":
            levels = self.samples if self.step == 1 else self.samples * np.uint8(self.step)
        else:
            levels = gray_of(self.colours(), self.name)
        self.refuse_transparent("temperature")
        return levels

    def refuse_transparent(self, what: str) -> None:
        """Refuse a file with transparent pixels; `what` names the values that these pixels lack.

        Raises:
            InputError: A pixel is transparent.
        """
        if self.opacity is not None and (clear := (self.opacity < _OPAQUE).mean()) > 0:
            raise InputError(
                f"{self.name}: transparent pixels ({clear:.1%}) have no {what}; fill them, and "
                "save it without transparency"
            )

    def refuse_dropped(self) -> None:
        """Refuse a file with channels of unknown meaning beside gray or RGB.

        Raises:
            InputError: There are such channels.
        """
        if self.channels > self.decoded:
            raise InputError(
                f"{self.name}: {self.channels} channels, of which the last is not marked as "
                "opacity (alpha); save one channel, RGB or RGBA, e.g. as PNG"
            )


def gray_of(pixels: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    """Gray levels (H, W) of colours (H, W, 3).

    Raises:
        InputError: The channels differ.
    """
    if np.ptp(pixels.astype(np.int16), axis=-1).max() > GRAY_TOLERANCE:
        raise InputError(
            f"{name}: a thermal image in false colours, without raw counts inside; export it as "
            "gray levels, or use the camera's radiometric files: colours cannot be turned back "
            "into temperatures"
        )
    return pixels[..., 0]


def raster(image: Image.Image, name: str, header: Header) -> Raster:
    """The pixels of a decoded Pillow image.

    Args:
        image: The image.
        name: What to call it in an error.
        header: The header of its file.

    Raises:
        InputError: Its colours are not RGB, or were multiplied by an opacity.
    """
    mode, pixels, bits = image.mode, np.asarray(image), header.bits
    palette = np.zeros((0, 3), np.uint8)
    kind: Literal["gray", "palette", "colour"] = "gray"
    if mode in ("P", "PA"):
        kind, pixels = "palette", pixels.reshape(*pixels.shape[:2], -1)[..., 0]
        palette = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    elif mode in ("RGB", "RGBA", "RGBX", "RGBa"):
        kind, pixels = "colour", pixels[..., :3]
    elif mode in _SINGLE or mode.startswith("I;16"):
        pixels, bits = _gray(pixels, bits)
    else:
        raise InputError(f"{name}: colours as {mode}; save it as RGB")
    opacity, own = _opacity(image, pixels), len(image.getbands())
    if opacity is not None and (header.premultiplied or "a" in mode) and opacity.min() < _OPAQUE:
        raise InputError(
            f"{name}: its colours are multiplied by their opacity; save it with straight "
            "(unassociated) alpha, or without alpha"
        )
    channels = max(header.channels, own)
    return Raster(name, kind, pixels, bits, palette, opacity, channels, own, header.lossy)


def _gray(pixels: NDArray[Any], bits: int) -> tuple[NDArray[Any], int]:
    """Samples (H, W) in native byte order; undoes Pillow's scaling of those below 8 bits."""
    if pixels.dtype == bool:
        return pixels.astype(np.uint8), 1
    pixels = pixels if pixels.ndim == 2 else pixels[..., 0]
    if pixels.dtype == np.uint8 and bits < 8:
        return pixels // np.uint8(255 // (2**bits - 1)), bits
    return pixels.astype(pixels.dtype.newbyteorder("=")), bits


def _opacity(image: Image.Image, pixels: NDArray[Any]) -> NDArray[np.uint8] | None:
    """Opacity (H, W), from a channel or from the level, index or colour marked as transparent."""
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        opacity: NDArray[np.uint8] = np.asarray(image)[..., -1]
        return opacity
    key = image.info.get("transparency")
    if key is None or image.mode in ("I", "F"):
        return None
    if isinstance(key, bytes):
        table = np.full(256, _OPAQUE, np.uint8)
        table[: len(key)] = np.frombuffer(key, np.uint8)
        opaque: NDArray[np.uint8] = table[pixels]
        return opaque
    if image.mode == "1":
        key = int(key > 0)
    clear = pixels == (np.array(key) if image.mode != "RGB" else np.array(key)[None, None])
    clear = clear.all(axis=-1) if clear.ndim == 3 else clear
    return np.where(clear, 0, _OPAQUE).astype(np.uint8)
