"""Which classes a mean IoU is over, and what a class counts that the split lacks.

The same predictions give other numbers under other protocols: on FMB, whose test split has no
bicycle, 61.7 over fourteen classes is 66.4 over the thirteen that occur.
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
        name: What it averages, in few words.
        users: Who reports numbers of it.
        classes: Label ids of the classes; empty for all of them.
        ignored: Label ids whose true pixels do not count at all.
        absent: Whether a class that the truth of the split lacks counts 0 or is left out.
    """

    name: str
    users: str
    classes: tuple[int, ...] = ()
    ignored: tuple[int, ...] = ()
    absent: Literal["zero", "left out"] = "zero"


ALL_CLASSES = Protocol("all classes, an absent one counts 0", "miou in metrics.json")
PRESENT_CLASSES = Protocol("classes that occur", "miou_present in metrics.json", absent="left out")


def counted_pixels(matrices: Tensor, protocol: Protocol) -> Tensor:
    """The (..., K, K) confusion matrices without the pixels that a protocol ignores.

    Pixels of a class that is outside its mean but not ignored do count: what is predicted there as
    one of its classes is wrong.
    """
    counted = matrices.clone()
    counted[..., list(protocol.ignored), :] = 0
    return counted
