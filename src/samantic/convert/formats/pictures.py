"""Small PNGs inside other files."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from samantic.convert.regions import MOST_PIXELS, Mask


def mask_of_png(data: bytes) -> Mask:
    """Mask (H, W) of a PNG's opaque pixels, or of its nonzero pixels if it has no opacity.

    Raises:
        ValueError: The bytes are no PNG, or the PNG is too large.
    """
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            if image.width * image.height > MOST_PIXELS:
                raise ValueError(f"a mask of {image.width}x{image.height} pixels")
            pixels = np.asarray(image)
            own = pixels[..., -1:] if image.mode in ("LA", "PA", "RGBA") else pixels
    except (OSError, SyntaxError):
        raise ValueError("a mask that is no readable PNG") from None
    except Image.DecompressionBombError as error:
        raise ValueError(f"a mask of too many pixels ({error})") from None
    mask: Mask = (own != 0).any(axis=-1) if own.ndim == 3 else own != 0
    return mask
