"""Label Studio's brush: the bytes of an RGBA picture as run lengths, packed in bits.

The header holds the number of values (32 bits), the bits of a value minus one (5), and four sizes
minus one (4 bits each). Blocks follow. A block has a flag bit, two bits that select a size, and a
length minus one in that size. If the flag is set, one value for the whole block follows; otherwise
each value. The brush is the fourth channel, opacity.

https://github.com/thi-ng/umbrella, packages/rle-pack, and label_studio_sdk/converter/brush.py of
github.com/HumanSignal/label-studio-sdk
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from samantic.convert.regions import Mask, Size


class _Bits:
    """Reads numbers of any number of bits, highest bit first."""

    def __init__(self, data: NDArray[np.uint8]) -> None:
        self.bits, self.place = np.unpackbits(data), 0

    def take(self, count: int) -> NDArray[np.uint8]:
        found = self.bits[self.place : self.place + count]
        if len(found) < count:
            raise ValueError("a brush that is cut off")
        self.place += count
        return found

    def number(self, count: int) -> int:
        return int.from_bytes(np.packbits(self.take(count)).tobytes(), "big") >> (-count % 8)


def brush_mask(data: Any, size: Size) -> Mask:
    """Mask (H, W) of the pixels that a brush has painted.

    Raises:
        ValueError: The bytes are no brush of this size.
    """
    values = np.array(data)
    if (
        values.ndim != 1
        or values.dtype.kind not in "iu"
        or not ((values >= 0) & (values < 256)).all()
    ):
        raise ValueError("a brush that is no list of bytes")
    bits = _Bits(values.astype(np.uint8))
    total, width = bits.number(32), bits.number(5) + 1
    sizes = [bits.number(4) + 1 for _ in range(4)]
    if total != size[0] * size[1] * 4:
        raise ValueError(f"a brush of {total} values for {size[1]}x{size[0]} pixels")
    painted = np.zeros(total, bool)
    place = 0
    while place < total:
        same = bits.number(1)
        stop = min(place + 1 + bits.number(sizes[bits.number(2)]), total)
        if same:
            painted[place:stop] = bits.number(width) > 0
        else:
            block = bits.take(width * (stop - place))
            painted[place:stop] = block.reshape(-1, width).any(axis=1)
        place = stop
    return painted.reshape(*size, 4)[..., 3]
