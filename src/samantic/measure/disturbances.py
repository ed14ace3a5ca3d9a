"""Faults of two cameras: a suite of disturbances, the same for every model.

Missing, partly missing and noisy modalities, their averages and the expected mIoU follow Liao et
al., Benchmarking Multi-modal Semantic Segmentation under Sensor Failures (arXiv 2503.18445). The
strengths and the other disturbances are this package's own.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from samantic.data.sensors import REFERENCE, SENSORS, Change, given
from samantic.data.shifts import moved

MISSING = tuple(f"{name} missing" for name in SENSORS)
FAILURE_PROBABILITIES = (0.05, 0.1, 0.2)
SHIFTS = (2, 4, 8, 16, 32)
MISALIGNED = {f"misaligned {distance} px": distance for distance in SHIFTS}


Images = Mapping[str, Tensor]
"""The sensors' images, (N, C, H, W) in 0..1 by sensor."""


class Disturbance(NamedTuple):
    """A change of a pair.

    Attributes:
        group: Name under which the average of its group is reported.
        touches: The modalities that it changes.
        change: Takes images of one modality and a generator; a disturbance of both modalities
            changes one after the other.
    """

    group: str
    touches: tuple[str, ...]
    change: Change


def disturb(pair: Images, name: str, key: str, seed: int = 0) -> Images:
    """Apply a disturbance of the suite; its random numbers depend on the arguments alone.

    Args:
        pair: The pair; it is not changed.
        name: Key of `SUITE`.
        key: Identifies the pair, such as its file stem.
        seed: Seed of the suite.
    """
    generator = torch.Generator().manual_seed(zlib.crc32(f"{seed}/{name}/{key}".encode()))
    disturbance = SUITE[name]
    changed: dict[str, Tensor | None] = {**pair}
    for modality in disturbance.touches:
        if modality in pair:
            changed[modality] = disturbance.change(pair[modality], generator)
    return given(changed)


def averages(mious: dict[str, float | None]) -> dict[str, float]:
    """Mean mIoU of each group; where a model cannot predict (None), it scores 0."""
    groups: dict[str, list[float]] = {}
    for name, miou in mious.items():
        groups.setdefault(SUITE[name].group, []).append(miou or 0.0)
    return {group: sum(values) / len(values) for group, values in groups.items()}


def expected_miou(both: float, without_rgb: float, without_thermal: float, p: float) -> float:
    """Mean mIoU if each modality fails with probability p, independently, but not both at once.

    E = ((1 - p)² both + p (1 - p) (without_rgb + without_thermal)) / (1 - p²)
    """
    return ((1 - p) ** 2 * both + p * (1 - p) * (without_rgb + without_thermal)) / (1 - p**2)


def _nothing(images: Tensor, generator: torch.Generator) -> None:
    return None


def _region(images: Tensor, generator: torch.Generator) -> Tensor:
    """Set a rectangle of a quarter to half of the image to 0."""
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


def _shift(distance: int, images: Tensor, generator: torch.Generator) -> Tensor:
    """Shift by a distance in pixels in a random direction; the border repeats."""
    angle = 2 * math.pi * float(torch.rand((), generator=generator))
    down, right = round(distance * math.sin(angle)), round(distance * math.cos(angle))
    count = len(images)
    return moved(images, torch.full((count, 1), down), torch.full((count, 1), right))


ALL = tuple(SENSORS)
MOVED = tuple(name for name in ALL if name != REFERENCE)

SUITE: dict[str, Disturbance] = {
    **{f"{name} missing": Disturbance("missing", (name,), _nothing) for name in ALL},
    **{f"{name} region missing": Disturbance("region", (name,), _region) for name in ALL},
    "both regions missing": Disturbance("region", ALL, _region),
    "noise low": Disturbance("noise", ALL, partial(_noise, 0.05)),
    "noise mid": Disturbance("noise", ALL, partial(_noise, 0.1)),
    "noise high": Disturbance("noise", ALL, partial(_noise, 0.2)),
    **{
        name: Disturbance("image", (sensor.name,), change)
        for sensor in SENSORS.values()
        for name, change in sensor.disturbances.items()
    },
    **{
        name: Disturbance("misalignment", MOVED, partial(_shift, distance))
        for name, distance in MISALIGNED.items()
    },
}
"""Every disturbance by name, in the order of reports."""
