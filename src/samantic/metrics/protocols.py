"""Protocols: the classes of a mean IoU, and how it counts a class that is absent from the split.

The same predictions give different numbers under different protocols. On FMB, whose test split has
no bicycle, 61.7 over fourteen classes is 66.4 over the thirteen that occur.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Protocol:
    """A way to average the IoU of classes.

    Attributes:
        name: A short description of the average.
        users: Who reports numbers of this protocol.
        classes: Label ids of the classes; empty for all of them.
        ignored: Label ids whose ground-truth pixels are ignored.
        absent: Whether a class without ground truth in the split counts 0 or is left out.
    """

    name: str
    users: str
    classes: tuple[int, ...] = ()
    ignored: tuple[int, ...] = ()
    absent: Literal["zero", "left out"] = "zero"


ALL_CLASSES = Protocol("all classes, an absent one counts 0", "miou in metrics.json")
PRESENT_CLASSES = Protocol("classes that occur", "miou_present in metrics.json", absent="left out")


def counted_pixels(matrices: Tensor, protocol: Protocol) -> Tensor:
    """Confusion matrices (..., K, K) without the pixels that a protocol ignores.

    Pixels of a class that is outside the mean but not ignored do count: a prediction of one of the
    protocol's classes there is wrong.
    """
    counted = matrices.clone()
    counted[..., list(protocol.ignored), :] = 0
    return counted
