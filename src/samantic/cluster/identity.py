"""Identities of pairs: names, 64-bit keys for long lists, and the names of blocks of pairs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from samantic.strings import is_control, normal

Keys = NDArray[np.uint64]
"""Sorted keys of pairs."""

LONGEST = 900
"""Bytes of the longest name; object stores allow 1024 bytes, prefix and ending included."""


def key_of(name: str) -> int:
    """A 64-bit key of a pair's name.

    Two of n names have the same key with a probability of n^2 / 2^65: 3 in 10,000 for 100 million.

    Example:
        >>> key_of("drive1/0001")
        4187023671925498463
    """
    return int.from_bytes(hashlib.blake2b(normal(name).encode(), digest_size=8).digest(), "big")


def keys_of(names: Iterable[str]) -> Keys:
    """The keys of names, in their order."""
    return np.fromiter((key_of(name) for name in names), np.uint64)


def holds(known: Keys, keys: Keys) -> NDArray[np.bool_]:
    """Which keys are among the known ones, (n,); extra memory is only of the keys' size.

    Args:
        known: Sorted.
        keys: (n,) in any order.
    """
    if not len(known):
        return np.zeros(len(keys), np.bool_)
    places = np.searchsorted(known, keys).clip(max=len(known) - 1)
    found: NDArray[np.bool_] = known[places] == keys
    return found


def block_of(keys: Keys) -> str:
    """The name of a block: a hash of the pairs in it, independent of their order."""
    return hashlib.blake2b(np.sort(keys).tobytes(), digest_size=12).hexdigest()


def name_problem(name: str) -> str | None:
    """Why a name cannot be a path below the output; None if it can.

    Example:
        >>> name_problem("../x")
        'leads out of the output'
    """
    parts = name.split("/")
    if not name or any(part in ("", ".", "..") for part in parts) or "\\" in name:
        return "leads out of the output"
    if any(is_control(character) for character in name):
        return "has control characters"
    if len(name.encode()) > LONGEST or max(len(part.encode()) for part in parts) > 200:
        return "is too long"
    return None
