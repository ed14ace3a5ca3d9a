"""Images of two cameras that are not synchronised, paired by the times in their names."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samantic.data.folders import tell
from samantic.data.lists import count_names
from samantic.errors import InputError

DIGITS = {range(9, 12): 1.0, range(12, 15): 1e-3, range(15, 18): 1e-6, range(18, 20): 1e-9}
"""Unit in seconds of a time since 1970, by its number of digits: s, ms, µs or ns."""

SAME = 1e-6
"""Seconds that a float cannot tell apart in a time since 1970, and then some."""

DATE = re.compile(
    r"(?<!\d)((?:19|20)\d\d)-?(\d\d)-?(\d\d)[T_\- ]?"
    r"(\d\d)[-:_h]?(\d\d)[-:_m]?(\d\d)(?:[._,-]?(\d+))?"
)
"""A date and a time of day, such as 20240131T120000.250 or 2024-01-31_12-00-00-250."""


def seconds_of(stem: str) -> float | None:
    """The time in a file's name in seconds; None if it holds none.

    Example:
        >>> seconds_of("rgb_1706702400250")
        1706702400.25
    """
    if date := DATE.search(stem):
        *parts, fraction = date.groups()
        try:
            whole = datetime(*map(int, parts), tzinfo=UTC).timestamp()  # type: ignore[arg-type,misc]
            return whole + float(f"0.{fraction or 0}")
        except ValueError:
            pass  # 13 or 14 digits that are no valid date are a number
    numbers = re.findall(r"\d+\.\d+|\d+", stem)
    if not numbers:
        return None
    longest = max(numbers, key=lambda number: len(number.partition(".")[0]))
    if "." in longest:
        return float(longest)
    unit = next((u for digits, u in DIGITS.items() if len(longest) in digits), None)
    if unit is None:
        return None
    ticks = round(1 / unit)
    return int(longest) // ticks + int(longest) % ticks / ticks


def by_time(
    rgb: Mapping[str, Path], thermal: Mapping[str, Path], tolerance: float
) -> list[tuple[str, Path, Path]]:
    """Pair images that are each other's nearest in time and within the tolerance.

    Images without a partner are left out with a warning.

    Args:
        rgb: RGB images by stem.
        thermal: Thermal images by stem.
        tolerance: Largest difference in seconds between the images of a pair.

    Returns:
        The RGB image's stem and both files, in temporal order.

    Raises:
        InputError: A name holds no time, or no two images are within the tolerance.
    """
    partners = partners_in_time(rgb, thermal, tolerance)
    for images, paired in ((rgb, set(partners)), (thermal, set(partners.values()))):
        if lone := [path.name for name, path in images.items() if name not in paired]:
            place = next(iter(images.values())).parent
            one, several = (f"{verb} no partner within {tolerance:g} s" for verb in ("has", "have"))
            tell([f"{place}: {count_names(lone, one, several)}"])
    return [(name, rgb[name], thermal[other]) for name, other in partners.items()]


def partners_in_time(
    rgb: Mapping[str, Path], thermal: Mapping[str, Path], tolerance: float
) -> dict[str, str]:
    """The thermal image's name by the RGB image's, in the order of time; see `by_time`.

    Raises:
        InputError: A name holds no time, or nothing is near enough.
    """
    times = [_times(images) for images in (rgb, thermal)]
    names = [[name for _, name in part] for part in times]
    first, second = (np.array([seconds for seconds, _ in part]) for part in times)
    there, apart, mutual = _meet(first, second)
    kept = np.flatnonzero(mutual & (apart <= tolerance + SAME))
    if not len(kept):
        raise InputError(
            f"no RGB and thermal image lie within {tolerance:g} s; the closest are "
            f"{apart.min():.3g} s apart: synchronise the cameras' clocks, or raise --tolerance"
        )
    return {names[0][i]: names[1][there[i]] for i in kept}


def fitting_tolerance(
    rgb: Mapping[str, Path], thermal: Mapping[str, Path]
) -> tuple[int, str] | None:
    """The tolerance that pairs two cameras' images, where their names hold times.

    Images are partners if each is the other's nearest, and not further than half the usual time
    between two images of one camera.

    Args:
        rgb: RGB images by a name.
        thermal: Thermal images by a name.

    Returns:
        How many pairs there are and the tolerance, such as 20ms; None where a name holds no time,
        or less than half of the images of a camera have a partner.
    """
    times = [[seconds_of(path.stem) for path in images.values()] for images in (rgb, thermal)]
    fewest = min(map(len, times))
    if not fewest or any(None in part for part in times):
        return None
    first, second = (np.sort(np.array(part, np.float64)) for part in times)
    _, apart, mutual = _meet(first, second)
    gaps = [float(np.median(np.diff(part))) for part in (first, second) if len(part) > 1]
    near = apart[mutual & (apart <= max(gaps, default=1.0) / 2)]
    if 2 * len(near) < fewest:
        return None
    return len(near), f"{max(1, math.ceil(1000 * (near.max() - SAME)))}ms"


def _meet(
    first: NDArray[np.float64], second: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.bool_]]:
    """Of each time its nearest of the others, the seconds between, and if it is the nearest's."""
    there, back = _nearest(first, second), _nearest(second, first)
    return there, np.abs(first - second[there]), back[there] == np.arange(len(first))


def _times(images: Mapping[str, Path]) -> list[tuple[float, str]]:
    """The time and the name of each image, sorted by time.

    Raises:
        InputError: A name holds no time.
    """
    found = [(seconds_of(path.stem), name, path) for name, path in images.items()]
    for seconds, _, path in found:
        if seconds is None:
            raise InputError(
                f"{path}: no time in its name; with --tolerance names hold seconds with a dot, "
                "9 to 19 digits since 1970 (s, ms, µs or ns), or a date such as 20240131T120000.250"
            )
    return sorted((seconds, name) for seconds, name, _ in found if seconds is not None)


def _nearest(some: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.intp]:
    """For each time in `some`, the index of the nearest time in `others`; both are ascending."""
    if len(others) == 1:
        return np.zeros(len(some), np.intp)
    right = np.searchsorted(others, some).clip(1, len(others) - 1)
    left = right - 1
    return np.where(some - others[left] <= others[right] - some, left, right)


def parse_tolerance(text: str) -> float:
    """Seconds from `0.05`, `0.05s` or `50ms`.

    Raises:
        ValueError: The text has another form.
    """
    match = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*(s|ms)?", text)
    if match is None:
        raise ValueError(text)
    return float(match[1]) * (1e-3 if match[2] == "ms" else 1.0)
