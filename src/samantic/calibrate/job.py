"""One calibration: a rig is estimated or read, and its file and its page are written."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from samantic.calibrate.cameras import Found, read_calibration
from samantic.calibrate.estimate import Estimate, estimate
from samantic.calibrate.geometry import Floats, normalised
from samantic.calibrate.page import write_overlay
from samantic.calibrate.pairs import RigPairs
from samantic.data.rig import SIZES
from samantic.errors import InputError
from samantic.files import write_json, write_text
from samantic.measure.tables import pair_count

FILE, PAGE, RECORD = "rig.yaml", "calibrate.html", "calibrate.json"

OTHER = 1.5
"""Factor by which both sides of an image differ from what the principal point suggests, from which
the calibration is of images of another size."""

BENT = 2.0
"""Largest error of a homography against the lens models, in pixels, without a note."""


class Outcome(NamedTuple):
    """The result of a calibration.

    Attributes:
        matrix: Homography from thermal pixels to RGB pixels.
        facts: Sentences on how it was obtained.
        doubt: Why it is not reliable; "" if it is.
    """

    matrix: Floats
    facts: list[str]
    doubt: str = ""


def estimated(pairs: RigPairs) -> Outcome:
    """A rig estimated from the edges of its pairs."""
    found: Estimate = estimate(pairs.gray, pairs.thermal)
    if found.doubt:
        return Outcome(found.matrix, [f"The rig is not known: {found.doubt}."], found.doubt)
    sure = (
        f"Estimated from {pair_count(found.pairs)}: two halves of them agree to "
        f"{found.spread:.1f} pixels of RGB in the median, and to {found.far:.1f} in nine of ten "
        "places."
    )
    return Outcome(found.matrix, [sure])


def read(path: Path, first: str, distance: float | None, pairs: RigPairs | None) -> Outcome:
    """A rig read from a calibration of another tool.

    Raises:
        InputError: The file is no calibration, or one of images of another size, or holds a
            homography, which has no distance.
    """
    thermal = None if pairs is None else pairs.thermal[0].shape
    found: Found = read_calibration(path, first=first, distance=distance, thermal=thermal)
    if distance is not None and found.sizes is None:
        raise InputError(
            f"--distance: {path} holds a homography, which is exact for its own plane; leave it out"
        )
    if pairs is not None and found.sizes is not None:
        _refuse_sizes(path, found.sizes, pairs)
    facts = [f"Read from {path.name}."]
    if found.residual > BENT:
        facts.append(
            f"The lenses distort: the homography misses them by up to {found.residual:.1f} pixels "
            "of RGB; undistort the images first if that is too much."
        )
    if found.parallax:
        facts.append(
            "The cameras have different positions: the homography is exact for distant objects. "
            f"Objects at distance 1 (unit of T) are off by {found.parallax:.0f} pixels, at 10 by a "
            "tenth of that; --distance sets another exact distance."
        )
    return Outcome(found.matrix, facts)


def _refuse_sizes(
    path: Path, sizes: tuple[tuple[int, ...], tuple[int, ...]], pairs: RigPairs
) -> None:
    """Refuse camera matrices of images that were resized since.

    Raises:
        InputError: Both sides of an image are much longer, or much shorter, than its principal
            point suggests.
    """
    images = pairs.thermal[0].shape, pairs.rgb[0].shape
    for name, (tall, wide), size in zip(("thermal", "RGB"), sizes, images, strict=True):
        ratios = tall / size[0], wide / size[1]
        if min(ratios) > OTHER or max(ratios) < 1 / OTHER:
            raise InputError(
                f"{path}: the principal point of {name} is the middle of about {wide}x{tall} "
                f"pixels, but its images have {size[1]}x{size[0]}; give images of the size that "
                "was calibrated"
            )


def write_calibration(out: Path, outcome: Outcome, pairs: RigPairs | None) -> None:
    """Write the rig's file if the rig is known, and the page if there are pairs."""
    matrix = normalised(outcome.matrix).tolist()
    if pairs is not None:
        write_overlay(out / PAGE, pairs, outcome.matrix, outcome.facts, bool(outcome.doubt))
    record = {"thermal_to_rgb": matrix, "facts": outcome.facts, "known": not outcome.doubt}
    write_json(out / RECORD, record)
    if outcome.doubt:
        (out / FILE).unlink(missing_ok=True)
    else:
        write_text(out / FILE, rig_text(outcome.matrix, pairs))


def rig_text(matrix: Floats, pairs: RigPairs | None = None) -> str:
    """The content of a rig's file; with pairs, it says the sizes for which the matrix holds."""
    rows = [", ".join(f"{float(v):.12g}" for v in row) for row in normalised(matrix)]
    lines = "".join(f"  - [{row}]\n" for row in rows)
    said = "# a thermal pixel (x, y, 1) times this is an RGB pixel; as it was found\n"
    if pairs is not None:
        shapes = pairs.thermal[0].shape, pairs.rgb[0].shape
        for key, shape in zip(SIZES, shapes, strict=True):
            lines += f"{key}: [{shape[1]}, {shape[0]}]\n"
    return f"{said}thermal_to_rgb:\n{lines}"


def refuse_corrected(out: Path) -> None:
    """Refuse to replace a file that was corrected by hand.

    Raises:
        InputError: It was.
    """
    path = out / FILE
    if path.exists() and "as it was found" not in path.read_text("utf-8", "replace"):
        raise InputError(f"{path}: corrected by hand; give another --out, or move it away")
