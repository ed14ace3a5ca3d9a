"""Videos, and folders of frames that are one recording, in the verb `predict`."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from samantic.config.options import SHOWN
from samantic.errors import InputError
from samantic.strings import printable

if TYPE_CHECKING:
    from samantic.predict.asking import PairPredictor
    from samantic.predict.recording import Recording

MOST_LINES = 10
"""Largest number of bad pairs that are printed."""


ALONE = 1.0
"""Seconds, beyond the tolerance, for which one camera must be alone before a line reports it."""

WRITTEN = {
    "labels": "label PNGs",
    "overlay": "overlays",
    "confidence": "confidence",
    "probabilities": "probabilities",
    "contours": "contours",
}
"""Names of the kinds of `--save` in the last line."""


def recording_options(sub: argparse.ArgumentParser) -> None:
    group = sub.add_argument_group("recordings")
    group.add_argument(
        "--fps",
        type=_positive,
        metavar="N",
        help="the folders hold the numbered frames of one recording, N frames a second",
    )
    group.add_argument(
        "--smooth",
        type=_share,
        nargs="?",
        const=0.5,
        metavar="SHARE",
        help="smooth the labels of a recording over time: weight of the past frames, 0 to below 1 "
        "(0.5 if no number is given; default: off)",
    )
    group.add_argument(
        "--gate",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="ignore a camera of a recording while it is frozen, black, saturated, ... (default: "
        "yes; such frames are listed in any case)",
    )


def _number(text: str, low: float, high: float, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value < high:
        raise argparse.ArgumentTypeError(f"{text[:SHOWN]!r} is no {what}")
    return value


def _positive(text: str) -> float:
    return _number(text, 1e-3, 1e5, "number of frames a second; give one as 30 or 8.6")


def _share(text: str) -> float:
    return _number(text, 0.0, 1.0, "share of the past; give 0 to below 1, as 0.5")


def recording_of(options: argparse.Namespace) -> Recording | None:
    """The recording in the options: videos, or folders that are recordings; None if neither.

    Raises:
        InputError: Options do not fit together, or a file is no recording.
    """
    from samantic.data.video import is_video
    from samantic.predict.recording import Recording
    from samantic.predict.sources import open_sources

    given = [path for path in (options.rgb, options.thermal) if path is not None]
    if options.rgbt is not None and is_video(options.rgbt):
        raise InputError(f"{options.rgbt}: a video has no 4 channels; give --rgb and --thermal")
    asked = [name for name in ("fps", "smooth") if getattr(options, name) is not None]
    if not asked and not any(map(is_video, given)):
        return None
    if options.rgbt is not None or not given:
        option = (asked or ["fps"])[0]
        raise InputError(f"--{option}: is for recordings; give --rgb and/or --thermal")
    if options.allow_unpaired:
        raise InputError("--allow-unpaired: frames of a recording are paired by time; leave it out")
    sources = open_sources(options.rgb, options.thermal, options.fps)
    return Recording(sources[0], sources[1], options.tolerance)


def run_recording(
    options: argparse.Namespace,
    recording: Recording,
    predictor: PairPredictor,
    kinds: tuple[str, ...],
) -> int:
    """Predict videos, or folders of frames, as one recording."""
    from samantic.predict.domain import ALLOWED
    from samantic.predict.saving import Look
    from samantic.predict.videos import Order, predict_recording

    look = Look(options.ground, options.legend)
    order = Order(kinds, look, options.smooth or 0.0, options.gate)
    names = [str(path) for path in (options.rgb, options.thermal) if path is not None]
    summary = predict_recording(predictor, recording, options.out, order, names)
    for line in _troubles(summary):
        print(f"samantic: {printable(line)}", file=sys.stderr)
    if summary["unlike"] > ALLOWED * summary["count"]:
        print(
            f"samantic: {summary['unlike']} of {summary['count']} frames may be unlike those that "
            "the model learnt from; look at them before you rely on their labels",
            file=sys.stderr,
        )
    factor = summary["seconds"] / max(summary["took"], 1e-9)
    files = WRITTEN | {"labels": "labels"}  # a video
    written = ", ".join(files[kind] for kind in files if kind in kinds)
    print(
        f"{summary['count']} frame{'s' * (summary['count'] != 1)} of {summary['seconds']:.1f} s in "
        f"{summary['took']:.1f} s ({factor:.2f} x real time): {written} and summary.json in "
        f"{options.out}"
    )
    return 0


def _alone(name: str, summary: dict[str, Any]) -> Iterator[str]:
    """A line if one camera was alone at the start or the end, because the other may have failed."""
    other = next(each for each in summary["frames"] if each != name)
    (first, last), (begin, end) = (summary["frames"][each]["span"] for each in (name, other))
    for verb, own, others in (("starts", -first, -begin), ("ends", last, end)):
        if own - others > summary["tolerance"] + ALONE:
            yield (
                f"{other}: {verb} at {abs(others):.3f} s, {name} at {abs(own):.3f} s (a camera "
                f"that failed, or a file that is cut off?); what {name} saw alone is left out"
            )


def _troubles(summary: dict[str, Any]) -> Iterator[str]:
    """A line on each kind of faulty frames."""
    for name, camera in summary["frames"].items():
        if camera["lone"]:
            yield f"{name}: {camera['lone']} of {camera['frames']} frames have no partner in time"
            yield from _alone(name, summary)
        if camera["repeated"]:
            yield f"{name}: {camera['repeated']} frames are no later than the one before; left out"
        for first, last in camera["breaks"]:
            yield f"{name}: nothing from {first:.3f} s to {last:.3f} s"
    for name, states in summary["runs"].items():
        for state, runs in states.items():
            if not runs:
                continue
            count = sum(last - first + 1 for first, last, _ in runs)
            shown = [f"{a}-{b}" if b > a else f"{a}" for a, b, _ in runs[:MOST_LINES]]
            more = ", ..." if len(runs) > MOST_LINES else ""
            yield f"{name}: {count} frame{'s' * (count > 1)} {state}: {', '.join(shown)}{more}"
