"""Whether rows of an image are shifted, as after a transfer that lost its synchronisation.

Neighbouring rows look alike. If a part of an image has been shifted sideways, the rows on both
sides of the seam look alike only after one of them is shifted back: their circular
cross-correlation has its peak away from 0. If all rows have been shifted up or down, the first row
looks like the last one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDE = 640
"""Largest width in pixels at which all columns are used; of wider images every 2nd, 3rd, ... is."""

WINDOW = 6
"""The mean over 1/`WINDOW` of a row around each pixel is subtracted, since light changes slowly."""

FLAT = 0.1
"""Rows with less contrast than this share of the median row's are not used; nor are rows below
`FAINT`."""

FAINT = 1.0
"""Smallest contrast of a row that is used, in gray levels or counts."""

UNLIKE = 0.35
"""Neighbouring rows on both sides of a seam correlate less than this."""

ALIKE = 0.75
"""Rows that were neighbours before the shift correlate more than this."""

MOSTLY = 0.6
"""The same limit for the median, if most rows are shifted; in pure noise no row matches another."""

SOME = 32
"""Number of seams that are tested if most rows are seams."""

BANDS, FEWEST, FAR = 24, 2, 24
"""Number of bands of rows; number of neighbouring bands with the same jump that make a fault; and
the smallest jump as a fraction (1/24) of the width. More than two other bands must not have moved,
or the whole camera has turned."""

SMALLEST = (120, 160)
"""Smallest height and width that are tested; smaller images pass."""

NEAR = 3
"""Smallest shift in pixels that counts: slanted edges look like smaller shifts."""


def rows_are_shifted(image: NDArray[Any]) -> bool:
    """Whether some rows of an image (H, W), or all of them, are shifted."""
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
    """Whether some rows of an image (H, W) are those of an earlier image, rotated sideways.

    Means of `BANDS` bands of rows are compared, which also shows a seam where rows are flat or
    noisy. The pixels that leave a row at one side must come in again at the other side. They do not
    if a camera turns above a bonnet that stays in place.
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
    """The pixels that a shift moves out of a row, and those that come in at the other side."""
    return (before[-shift:], now[:shift]) if shift > 0 else (before[:-shift], now[shift:])


def _bands(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of bands of rows, (`BANDS`, w); remaining rows at the bottom are left out."""
    tall = len(rows) // BANDS
    means: NDArray[np.float32] = rows[: tall * BANDS].reshape(BANDS, tall, -1).mean(axis=1)
    return means


def _contrast(image: NDArray[Any]) -> NDArray[np.float32]:
    """(H, w) minus the running mean along each row; NaN pixels become 0."""
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
    """Largest correlation of each seam's two rows over all circular shifts of at least `NEAR`."""
    width = rows.shape[1]
    above, below = np.fft.rfft(rows[seams]), np.fft.rfft(rows[seams + 1])
    found = np.fft.irfft(above.conj() * below, width) / (width * norm[seams])[:, None]
    peaks: NDArray[np.float64] = found[:, NEAR : width - NEAR + 1].max(axis=1)
    return peaks
