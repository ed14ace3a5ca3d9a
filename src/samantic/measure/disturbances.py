"""What goes wrong with two cameras: a suite of disturbances, the same for every model.

Missing, partly missing and noisy modalities, their averages and the expected mIoU follow Liao et
al., Benchmarking Multi-modal Semantic Segmentation under Sensor Failures (arXiv 2503.18445); the
strengths, and the disturbances beyond these, are this package's own.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from samantic.data.shifts import moved

MISSING = ("rgb missing", "thermal missing")
FAILURE_PROBABILITIES = (0.05, 0.1, 0.2)
SHIFTS = (2, 4, 8, 16, 32)
MISALIGNED = {f"misaligned {distance} px": distance for distance in SHIFTS}


class Pair(NamedTuple):
    """What the cameras deliver: (N, 3, H, W) and (N, 1, H, W) in 0..1, or None."""

    rgb: Tensor | None
    thermal: Tensor | None


class Disturbance(NamedTuple):
    """A change of a pair.

    Attributes:
        group: The average of a group is reported under this name.
        touches: The modalities that it changes.
        change: Takes images of one modality and a generator; a disturbance of both modalities
            changes one after the other.
    """

    group: str
    touches: tuple[str, ...]
    change: Callable[[Tensor, torch.Generator], Tensor | None]


def disturb(pair: Pair, name: str, key: str, seed: int = 0) -> Pair:
    """Apply a disturbance of the suite; what is random in it depends on the arguments alone.

    Args:
        pair: The pair; it is left as it is.
        name: Key of `SUITE`.
        key: What tells this pair from others, such as its file stem.
        seed: Seed of the suite.
    """
    generator = torch.Generator().manual_seed(zlib.crc32(f"{seed}/{name}/{key}".encode()))
    disturbance = SUITE[name]
    changed = {}
    for modality in disturbance.touches:
        images = getattr(pair, modality)
        if images is not None:
            changed[modality] = disturbance.change(images, generator)
    return pair._replace(**changed)


def averages(mious: dict[str, float | None]) -> dict[str, float]:
    """Mean mIoU of each group; where a model cannot answer (None), it scores 0."""
    groups: dict[str, list[float]] = {}
    for name, miou in mious.items():
        groups.setdefault(SUITE[name].group, []).append(miou or 0.0)
    return {group: sum(values) / len(values) for group, values in groups.items()}


def expected_miou(both: float, without_rgb: float, without_thermal: float, p: float) -> float:
    """Mean mIoU if each modality fails with probability p, independently, and not both at once.

    E = ((1 - p)² both + p (1 - p) (without_rgb + without_thermal)) / (1 - p²)
    """
    return ((1 - p) ** 2 * both + p * (1 - p) * (without_rgb + without_thermal)) / (1 - p**2)


def _nothing(images: Tensor, generator: torch.Generator) -> None:
    return None


def _region(images: Tensor, generator: torch.Generator) -> Tensor:
    """A rectangle of a quarter to half of the image is 0."""
    height, width = images.shape[-2:]
    shares = 0.5 + 0.2 * torch.rand(2, generator=generator)
    h, w = round(height * float(shares[0])), round(width * float(shares[1]))
    top = int(torch.randint(height - h + 1, (), generator=generator))
    left = int(torch.randint(width - w + 1, (), generator=generator))
    changed = images.clone()
    changed[..., top : top + h, left : left + w] = 0.0
    return changed


def _noise(sigma: float, images: Tensor, generator: torch.Generator) -> Tensor:
    noise = torch.randn(images.shape, generator=generator).to(images.device)
    return (images + sigma * noise).clamp(0, 1)


def _blur(images: Tensor, generator: torch.Generator) -> Tensor:
    """Gaussian blur with a deviation of 3 pixels."""
    from kornia.filters import gaussian_blur2d  # takes a second to import

    return gaussian_blur2d(images, (19, 19), (3.0, 3.0))


def _exposure(stops: float, images: Tensor, generator: torch.Generator) -> Tensor:
    """Light times 2^stops before the camera's gamma of 2.2."""
    return (images * 2 ** (stops / 2.2)).clamp(0, 1)


def _affine(gain: float, offset: float, images: Tensor, generator: torch.Generator) -> Tensor:
    return (0.5 + gain * (images - 0.5) + offset).clamp(0, 1)


def _shift(distance: int, images: Tensor, generator: torch.Generator) -> Tensor:
    """By a distance in pixels, in a random direction; the border repeats."""
    angle = 2 * math.pi * float(torch.rand((), generator=generator))
    down, right = round(distance * math.sin(angle)), round(distance * math.cos(angle))
    count = len(images)
    return moved(images, torch.full((count, 1), down), torch.full((count, 1), right))


SUITE: dict[str, Disturbance] = {
    "rgb missing": Disturbance("missing", ("rgb",), _nothing),
    "thermal missing": Disturbance("missing", ("thermal",), _nothing),
    "rgb region missing": Disturbance("region", ("rgb",), _region),
    "thermal region missing": Disturbance("region", ("thermal",), _region),
    "both regions missing": Disturbance("region", ("rgb", "thermal"), _region),
    "noise low": Disturbance("noise", ("rgb", "thermal"), partial(_noise, 0.05)),
    "noise mid": Disturbance("noise", ("rgb", "thermal"), partial(_noise, 0.1)),
    "noise high": Disturbance("noise", ("rgb", "thermal"), partial(_noise, 0.2)),
    "rgb blur": Disturbance("image", ("rgb",), _blur),
    "rgb overexposed": Disturbance("image", ("rgb",), partial(_exposure, 2.0)),
    "rgb underexposed": Disturbance("image", ("rgb",), partial(_exposure, -2.0)),
    "thermal gain": Disturbance("image", ("thermal",), partial(_affine, 0.5, 0.0)),
    "thermal offset": Disturbance("image", ("thermal",), partial(_affine, 1.0, 0.2)),
} | {
    name: Disturbance("misalignment", ("thermal",), partial(_shift, distance))
    for name, distance in MISALIGNED.items()
}
"""Every disturbance by name, in the order of reports."""
