"""A cache of encoded images, for images that are predicted several times."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

Encoded = TypeVar("Encoded")


class Memory:
    """The encodings of the first images that encoders receive.

    Args:
        most: Largest number of images that are kept for each encoder; images and maps take memory.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.kept: defaultdict[str, list[tuple[Tensor, Any]]] = defaultdict(list)

    def get(self, name: str, images: Tensor, encode: Callable[[Tensor], Encoded]) -> Encoded:
        """The encodings of images; `encode` is called only for images that are not in the cache.

        Args:
            name: Name of the encoder.
            images: (N, C, H, W).
            encode: The encoder.
        """
        kept = self.kept[name]
        for known, found in kept:
            if torch.equal(known, images):
                return cast(Encoded, found)
        found = encode(images)
        if len(kept) < self.most:
            kept.append((images, found))
        return found

    def forget(self) -> None:
        """Empty the cache, so that it stores the next images."""
        self.kept.clear()
