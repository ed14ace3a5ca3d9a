"""Find a rig's homography from pairs: a search over similarities, then refinement by patches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Literal, NamedTuple

import numpy as np
from scipy import ndimage

from samantic.calibrate.edges import Field, Pyramid, correlation, without_mean
from samantic.calibrate.geometry import Floats, mapped, normalised, robust

COARSE = 96
"""Width of RGB in pixels in the search over similarities."""

SPANS = np.geomspace(0.36, 1.5, 20)
"""Widths of thermal's view that are tried, as shares of RGB's, in steps of 8 %."""

TURNS = np.radians(np.arange(-10, 11, 4))
"""Rotations that are tried."""

FIRM = 4.0
"""Smallest height of a patch's peak, in standard deviations, at which the patch counts."""


class Level(NamedTuple):
    """A round of patches.

    Attributes:
        width: Width of RGB in pixels.
        side: Side of a patch in pixels.
        reach: Largest shift of a patch in pixels.
        model: Kind of map that is fitted to the shifts.
    """

    width: int
    side: int
    reach: int
    model: Literal["affine", "homography"]


LEVELS = (
    Level(160, 28, 12, "affine"),
    Level(240, 32, 10, "affine"),
    Level(320, 40, 8, "homography"),
)
"""The rounds that compare start matrices."""

FINE = (Level(480, 48, 6, "homography"), Level(640, 56, 5, "homography"))
"""The rounds at higher resolution, up to RGB's own."""


FEWEST = {"affine": 6, "homography": 10}
"""Smallest number of patches for a fit."""


def starts(
    rgb: tuple[int, ...], thermal: tuple[int, ...], spans: Floats = SPANS
) -> Iterator[Floats]:
    """Similarities from thermal to RGB pixels about the images' centres, some with another aspect.

    If the two images differ in aspect, each may have been stretched to its size. Thermal's height
    is then also scaled in proportion.
    """
    (tall, wide), (h, w) = rgb[:2], thermal[:2]
    ratios = {1.0}
    if abs((stretch := (tall / h) / (wide / w)) - 1) > 0.08:
        ratios.add(stretch)
    for ratio, span, turn in product(sorted(ratios), spans, TURNS):
        across = span * wide / w
        cosine, sine = np.cos(turn), np.sin(turn)
        rotation = np.array([[cosine, -sine], [sine, cosine]])
        part = rotation @ np.diag([across, across * ratio])
        middle = np.array([(wide - 1) / 2, (tall - 1) / 2])
        offset = middle - part @ np.array([(w - 1) / 2, (h - 1) / 2])
        yield np.vstack([np.column_stack([part, offset]), [0, 0, 1]])


def coarse(pairs: Pyramid, groups: Sequence[Sequence[int]]) -> list[list[tuple[float, Floats]]]:
    """The best similarities for each of several groups of pairs, and for all pairs.

    Args:
        pairs: All pairs, at low resolution.
        groups: Indices of the pairs of each group.

    Returns:
        For each group, and last for all pairs: at most five tuples of score (standard deviations
            above chance) and matrix, the best first.
    """
    parts = [list(group) for group in groups]
    ours = [without_mean(pairs.ours[part]) for part in parts]
    reach = (pairs.size[0] * 2 // 5, pairs.size[1] * 2 // 5)
    found: list[list[tuple[float, Floats]]] = [[] for _ in range(len(parts) + 1)]
    back = np.linalg.inv(pairs.shrink)
    for start in starts(pairs.rgb[0].shape, pairs.thermal[0].shape):
        theirs = pairs.theirs(start)
        maps = [
            correlation(mine, without_mean(theirs[part]), reach)
            for mine, part in zip(ours, parts, strict=True)
        ]
        maps.append((np.sum([m[0] for m in maps], 0), np.sum([m[1] for m in maps], 0)))
        for scores, (agreement, variance) in zip(found, maps, strict=True):
            enough = variance > 0.15 * variance.max()
            score = np.where(enough, agreement / np.sqrt(variance + 1e-9), -np.inf)
            y, x = np.unravel_index(score.argmax(), score.shape)
            shift = np.eye(3)
            shift[:2, 2] = reach[1] - x, reach[0] - y
            scores.append((float(score[y, x]), back @ shift @ pairs.shrink @ start))
    return [sorted(scores, key=lambda item: -item[0])[:5] for scores in found]


def refine(pairs: Pyramid, matrix: Floats, level: Level) -> Floats | None:
    """Refine a homography: each patch of RGB measures the remaining shift of thermal.

    Args:
        pairs: The pairs, at the resolution of this round.
        matrix: Approximate homography from thermal to RGB pixels.
        level: Options of the round.

    Returns:
        The refined homography; None if too few patches find a shift.
    """
    side = level.side
    theirs = without_mean(pairs.theirs(matrix))
    ours = without_mean(pairs.ours)
    places, shifts, weights = [], [], []
    for top, left in patches(pairs.size, side):
        cut = np.s_[:, top : top + side, left : left + side]
        found = shift_of(ours[cut], theirs[cut], level.reach)
        if found is not None:
            places.append((left + (side - 1) / 2, top + (side - 1) / 2))
            shifts.append(found[:2])
            weights.append(found[2] ** 2)
    if len(places) < FEWEST[level.model]:
        return None
    shrink = pairs.shrink
    target = np.array(places)
    now = shrink @ matrix
    source = mapped(np.linalg.inv(now), target + np.array(shifts))
    better, _ = robust(source, target, np.array(weights), level.model)
    return normalised(np.linalg.inv(shrink) @ better)


def patches(size: tuple[int, int], side: int) -> Iterator[tuple[int, int]]:
    """Top and left of patches that overlap by half."""
    steps = [range(0, max(1, length - side + 1), max(1, side // 2)) for length in size]
    yield from product(*steps)


def shift_of(ours: Field, theirs: Field, reach: int) -> tuple[float, float, float] | None:
    """Shift of thermal to the right of and below RGB in a patch, and its height in deviations.

    None if the best shift lies at the edge of the reach, or is not high enough.
    """
    agreement, variance = correlation(ours, theirs, (reach, reach))
    if variance.max() <= 0:
        return None
    variance = np.maximum(variance, 0.3 * variance.max())
    score = ndimage.gaussian_filter(agreement / np.sqrt(variance), 0.7)
    y, x = (int(v) for v in np.unravel_index(score.argmax(), score.shape))
    peak = float(score[y, x])
    if not (0 < y < 2 * reach and 0 < x < 2 * reach) or peak < FIRM:
        return None
    dy = _vertex(score[y - 1, x], peak, score[y + 1, x])
    dx = _vertex(score[y, x - 1], peak, score[y, x + 1])
    return x + dx - reach, y + dy - reach, peak


def _vertex(before: float, middle: float, after: float) -> float:
    """Offset of the vertex of the parabola through three neighbours, from the middle one."""
    bend = before - 2 * middle + after
    return 0.0 if bend >= 0 else float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5))
