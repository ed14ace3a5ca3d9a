"""Whether rows of an image lie where they do not belong, as after a transfer that lost its step.

Rows that are neighbours look alike. Where part of an image has been moved sideways, the rows on
both sides of the seam do not, unless one is moved back: their circular cross-correlation has its
peak away from 0. Where all rows have been moved up or down, the first row looks like the last one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDE = 640
"""Of wider images every second, third, ... column is looked at."""

WINDOW = 6
"""The mean over a sixth of a row around each pixel is taken off, since light changes slowly."""

FLAT = 0.1
"""Rows with less contrast than this share of the median row tell nothing; nor below `FAINT`."""

FAINT = 1.0
"""Gray levels or counts."""

UNLIKE = 0.35
"""Neighbours correlate less than so much across a seam."""

ALIKE = 0.75
"""Rows correlate more than so much where they have been neighbours before they were moved."""

MOSTLY = 0.6
"""The same of the median where most rows have been moved; in mere noise no row fits another."""

SOME = 32
"""Seams that are looked at where most rows are seams."""

BANDS, FEWEST, FAR = 24, 2, 24
"""Bands of rows; so many neighbours that have jumped alike are a fault; and a jump is more than
1/24 of the width. Others have to be where they were, or the whole camera has been turned."""

SMALLEST = (120, 160)
"""Height and width from which rows tell enough; smaller images are taken for well."""

NEAR = 3
"""A shift by fewer pixels is none: slanted edges look so."""


def rows_are_shifted(image: NDArray[Any]) -> bool:
    """Whether part of the rows of an image (H, W), or all of them, have been moved."""
    if image.shape[0] < SMALLEST[0] or image.shape[1] < SMALLEST[1]:
        return False
    rows = _contrast(image)
    strength = np.sqrt((rows * rows).mean(1))
    clear = strength > max(FAINT, FLAT * float(np.median(strength)))
    both = clear[1:] & clear[:-1]
    norm = np.maximum(strength[1:] * strength[:-1], 1e-9)
    alike = (rows[1:] * rows[:-1]).mean(1) / norm
    seams = np.flatnonzero(both & (alike < UNLIKE))
    if not len(seams):
        return False
    if np.median(alike[both]) < UNLIKE:
        some = seams[:: -(-len(seams) // SOME)]
        return bool(np.median(_peaks(rows, some, norm)) > MOSTLY)
    if _peaks(rows, seams, norm).max() > ALIKE:
        return True
    ends = float((rows[0] * rows[-1]).mean() / max(strength[0] * strength[-1], 1e-9))
    return bool(clear[0] and clear[-1]) and ends > ALIKE


def rows_have_jumped(before: NDArray[Any], now: NDArray[Any]) -> bool:
    """Whether some rows of an image (H, W) are those of an earlier one, moved around sideways.

    Means of `BANDS` bands of rows are compared, which shows a seam where rows are flat or noisy
    too. What goes out of a row at one side has to come in again at the other: it does not where a
    camera turns above a bonnet that stays.
    """
    if before.shape != now.shape or now.shape[0] < SMALLEST[0] or now.shape[1] < SMALLEST[1]:
        return False
    first, second = (_bands(_contrast(image)) for image in (before, now))
    strength = np.sqrt((first * first).mean(1) * (second * second).mean(1))
    width = first.shape[1]
    cross = np.fft.rfft(first).conj() * np.fft.rfft(second)
    found = np.fft.irfft(cross, width) / (width * np.maximum(strength, 1e-9))[:, None]
    shift = (found.argmax(axis=1) + width // 2) % width - width // 2
    sure = (strength > FAINT**2) & (found.max(axis=1) > ALIKE)
    far = sure & (np.abs(shift) > width // FAR)
    alike = far[1:] & far[:-1] & (np.abs(np.diff(shift)) < NEAR)
    if alike.sum() < FEWEST or (sure & ~far).sum() <= FEWEST:
        return False
    around = [_around(first[i], second[i], int(shift[i])) for i in np.flatnonzero(far)]
    there, here = (np.concatenate(part) for part in zip(*around, strict=True))
    norm = float(np.sqrt((there * there).sum() * (here * here).sum()))
    return float((there * here).sum()) > MOSTLY * max(norm, 1e-9)


def _around(
    before: NDArray[np.float32], now: NDArray[np.float32], shift: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What a shift has brought out of a row at one side, and what is new at the other side."""
    return (before[-shift:], now[:shift]) if shift > 0 else (before[:-shift], now[shift:])


def _bands(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of bands of rows, (`BANDS`, w); a rest below is left out."""
    tall = len(rows) // BANDS
    means: NDArray[np.float32] = rows[: tall * BANDS].reshape(BANDS, tall, -1).mean(axis=1)
    return means


def _contrast(image: NDArray[Any]) -> NDArray[np.float32]:
    """(H, w) without the running mean along each row; values that are no number become 0."""
    values = np.nan_to_num(image[:, :: -(-image.shape[1] // WIDE)].astype(np.float32))
    width = values.shape[1]
    span = 2 * (width // WINDOW // 2) + 1
    padded = np.pad(values, ((0, 0), (span // 2 + 1, span // 2)), mode="wrap")
    sums = np.cumsum(padded, axis=1, dtype=np.float64)
    found: NDArray[np.float32] = (values - (sums[:, span:] - sums[:, :-span]) / span).astype("f4")
    return found


def _peaks(
    rows: NDArray[np.float32], seams: NDArray[np.intp], norm: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Largest correlation of each row with the next one when that is moved, `NEAR` or farther."""
    width = rows.shape[1]
    above, below = np.fft.rfft(rows[seams]), np.fft.rfft(rows[seams + 1])
    found = np.fft.irfft(above.conj() * below, width) / (width * norm[seams])[:, None]
    peaks: NDArray[np.float64] = found[:, NEAR : width - NEAR + 1].max(axis=1)
    return peaks
