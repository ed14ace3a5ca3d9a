"""Estimate a rig from pairs, and how reliable the estimate is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from samantic.calibrate.edges import Pyramid, without_mean
from samantic.calibrate.geometry import Floats, apart, normalised
from samantic.calibrate.search import COARSE, FINE, LEVELS, Level, coarse, refine
from samantic.measure.tables import pair_count
from samantic.progress import open_progress

FEWEST = 8
"""Smallest number of pairs for an estimate: its two halves must agree."""

SEARCHED = 24
"""Largest number of pairs, evenly spaced, in the search over similarities."""

SPREAD = 2.0
"""Largest allowed median distance between the estimates of two halves, in pixels of RGB 640
wide."""

FAR = 6.0
"""Largest allowed 90th percentile of that distance."""

FIRM = 10.0
"""Smallest agreement of the edges of all pairs, in standard deviations above chance."""

Images = Sequence[NDArray[np.float32]]


class Estimate(NamedTuple):
    """The estimate of a rig.

    Attributes:
        matrix: Homography from thermal pixels to RGB pixels; the best guess if it is not reliable.
        pairs: Number of pairs.
        spread: Median distance in RGB pixels between the estimates of two halves of the pairs.
        far: 90th percentile of this distance.
        score: Agreement of the edges in standard deviations above chance.
        doubt: Why the matrix is not reliable; "" if it is.
    """

    matrix: Floats
    pairs: int
    spread: float
    far: float
    score: float
    doubt: str


def estimate(rgb: Images, thermal: Images) -> Estimate:
    """Estimate the homography from thermal pixels to RGB pixels of one rig.

    First, the edge directions of all pairs are correlated at low resolution under shifts, scales
    and rotations. Then patches measure the remaining shift of thermal, and a robust fit follows
    them, at increasing resolution. The first and the last half of the pairs are also estimated
    separately: the result is reliable only if both agree.

    Args:
        rgb: Gray images, all of one size.
        thermal: Images of any unit without bad pixels, all of one size; the partners of `rgb`.
    """
    count, size, heat = len(rgb), rgb[0].shape, thermal[0].shape
    chosen = np.linspace(0, count - 1, min(count, SEARCHED)).round().astype(int)
    low = Pyramid([rgb[i] for i in chosen], [thermal[i] for i in chosen], COARSE)
    middle = len(chosen) // 2
    groups = [range(middle), range(middle, len(chosen))] if middle else [range(len(chosen))]
    with open_progress("estimate", "step", total=2 if count < FEWEST else 4) as bar:
        found = coarse(low, groups)
        bar.update()
        matrix, score = _climbed(rgb, thermal, [start for _, start in found[-1][:3]])
        bar.update()
        if count < FEWEST:
            doubt = f"{pair_count(count)}; give {FEWEST} or more, of different scenes"
            return Estimate(matrix, count, np.inf, np.inf, score, doubt)
        halves = []
        for part, own in zip((slice(count // 2), slice(count // 2, None)), found[:2], strict=True):
            starts = [start for _, start in (*own[:2], found[-1][0])]
            halves.append(_climbed(rgb[part], thermal[part], starts)[0])
            bar.update()
    distances = apart(halves[0], halves[1], heat, size)
    spread, far = (float(np.percentile(distances, share)) for share in (50, 90))
    return Estimate(matrix, count, spread, far, score, _doubt(spread, far, score, size[1] / 640))


def _doubt(spread: float, far: float, score: float, scale: float) -> str:
    """Why an estimate is not reliable; "" if it is."""
    unit = max(scale, 1.0)
    if not np.isfinite(spread) or spread > SPREAD * unit or far > FAR * unit:
        return (
            f"two halves of the pairs disagree by {spread:.0f} pixels in the median, and by "
            f"{far:.0f} at the 90th percentile"
        )
    if score < FIRM:
        return "the edges of RGB and thermal agree no better than by chance"
    return ""


def _climbed(rgb: Images, thermal: Images, starts: Sequence[Floats]) -> tuple[Floats, float]:
    """The best of several start matrices after refinement by patches, and its score."""
    pairs = {level[0]: Pyramid(rgb, thermal, level[0]) for level in LEVELS}
    tried = []
    for start in starts:
        matrix = _followed(pairs, start, LEVELS)
        tried.append((agreement(pairs[LEVELS[1][0]], matrix), matrix))
    score, matrix = max(tried, key=lambda item: item[0])
    wide = rgb[0].shape[1]
    fine = [level for level in FINE if level[0] <= 1.3 * wide]
    pairs = {level[0]: Pyramid(rgb, thermal, level[0]) for level in fine}
    return normalised(_followed(pairs, matrix, fine)), score


def _followed(pairs: Mapping[int, Pyramid], matrix: Floats, levels: Sequence[Level]) -> Floats:
    """Refine a homography by one round of patches after the other, until a round fails."""
    for level in levels:
        better = refine(pairs[level.width], matrix, level)
        if better is None:
            break
        matrix = better
    return matrix


def agreement(pairs: Pyramid, matrix: Floats) -> float:
    """Agreement of the edges under a homography, in standard deviations above chance."""
    ours, theirs = without_mean(pairs.ours), without_mean(pairs.theirs(matrix))
    total = float((np.conj(ours) * theirs).real.sum())
    variance = float((np.abs(ours * theirs) ** 2).sum()) / 2
    return total / np.sqrt(variance) if variance > 0 else 0.0
