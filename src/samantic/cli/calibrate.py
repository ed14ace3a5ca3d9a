"""The verb `calibrate`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from samantic.cli.options import folder, place, positive, tolerance_option, unpaired_option, whole
from samantic.errors import InputError

HELP = "estimate how thermal pixels map to RGB pixels: the file for --rig, and a page to correct it"


def add_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--rgb", type=place, help="folder of RGB images")
    sub.add_argument("--thermal", type=place, help="folder of their thermal images")
    tolerance_option(sub, "partners have equal names")
    sub.add_argument(
        "--from",
        dest="source",
        type=place,
        metavar="FILE",
        help="convert a calibration instead of estimating one: YAML of OpenCV or Kalibr (camera "
        "matrices, distortion, R and T), or a homography",
    )
    sub.add_argument(
        "--first",
        choices=("thermal", "rgb"),
        default="thermal",
        help="first camera in FILE, if it does not name them (default thermal)",
    )
    sub.add_argument(
        "--distance",
        type=positive,
        metavar="D",
        help="distance at which the matrix is exact, in the unit of T in FILE (default: infinity)",
    )
    sub.add_argument(
        "--pairs",
        type=whole(1, 200),
        default=30,
        metavar="N",
        help="number of pairs to use, evenly spaced (default 30)",
    )
    unpaired_option(sub)
    sub.add_argument(
        "--out", type=folder, default=Path("runs", "calibrate"), help="folder to write to"
    )


def run(options: argparse.Namespace) -> int:
    from samantic.calibrate.job import (
        FILE,
        PAGE,
        RECORD,
        estimated,
        read,
        refuse_corrected,
        write_calibration,
    )
    from samantic.calibrate.pairs import read_rig_pairs
    from samantic.predict.folders import find_files
    from samantic.provenance import check_folder, write_inputs
    from samantic.report.pages import refuse_foreign

    there = [place for place in (options.rgb, options.thermal) if place is not None]
    if len(there) == 1 or not (there or options.source):
        raise InputError("give --rgb and --thermal, folders of pairs of one rig")
    if options.source is None and options.distance is not None:
        raise InputError("--distance: is for a calibration that --from reads")
    made = {key: place and str(place.resolve()) for key, place in _inputs(options).items()}
    check_folder(options.out, made, "a calibration", (FILE, PAGE, RECORD))
    refuse_corrected(options.out)
    refuse_foreign(options.out / PAGE)
    pairs = None
    if there:
        ways = options.allow_unpaired, options.tolerance
        files = find_files(options.rgb, options.thermal, None, *ways)
        pairs = read_rig_pairs(files, options.pairs)
    if options.source is not None:
        outcome = read(options.source, options.first, options.distance, pairs)
    elif pairs is not None:
        outcome = estimated(pairs)
    write_inputs(options.out, made)
    write_calibration(options.out, outcome, pairs)
    if outcome.doubt:
        hint = f"lay thermal on RGB by hand in {options.out / PAGE}"
        print(f"samantic: the rig is not known: {outcome.doubt}; {hint}", file=sys.stderr)
        return 1
    print("\n".join(outcome.facts))
    print(f"--rig {options.out / FILE}" + (f"; look at {options.out / PAGE}" if there else ""))
    return 0


def _inputs(options: argparse.Namespace) -> dict[str, Path | None]:
    return {"rgb": options.rgb, "thermal": options.thermal, "calibration": options.source}
