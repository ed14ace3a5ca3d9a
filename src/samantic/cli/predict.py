"""The verb `predict`."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from samantic.cli.options import (
    MODEL,
    camera_choice,
    camera_options,
    class_choice,
    place,
    unpaired_option,
    view_options,
    whole,
)
from samantic.cli.recording import (
    MOST_LINES,
    WRITTEN,
    recording_of,
    recording_options,
    run_recording,
)
from samantic.config.data import MOST_TILE, TILE
from samantic.config.options import SHOWN
from samantic.strings import printable

if TYPE_CHECKING:
    from samantic.data.samples import Files

HELP = "segment pairs: label PNGs, overlays and a page of both"


def add_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("model", metavar="MODEL", help=MODEL)
    sub.add_argument("--rgb", type=place, help="RGB image, folder or video")
    sub.add_argument("--thermal", type=place, help="thermal image, folder or video")
    sub.add_argument(
        "--rgbt", type=place, help="4-channel image or folder, instead of the other two"
    )
    sub.add_argument(
        "--tolerance",
        type=_seconds,
        metavar="SECONDS",
        help="names are times: pair images that lie at most so far apart, as 0.05 or 50ms; what "
        "has no partner is named and left out (default: partners have equal names; of videos, the "
        "time between two frames of the faster camera)",
    )
    sub.add_argument("--out", type=place, required=True, help="folder to write to")
    sub.add_argument(
        "--device", default="auto", help="auto (a GPU if there is one), cpu, cuda, cuda:1, mps, ..."
    )
    sub.add_argument(
        "--tile",
        type=whole(64, MOST_TILE),
        metavar="N",
        help="predict images with a longer side, as the network sees them, in overlapping tiles of "
        f"N pixels (default {TILE}, or what the model saw in training where that is more)",
    )
    sub.add_argument(
        "--save",
        type=lambda text: text.split(","),
        default="overlay,labels",
        metavar="KIND,KIND",
        help="what to write of each pair: overlay (picture), labels (PNG of class ids), confidence "
        "(PNG, 255 is 1), probabilities (.npz, float16), contours (JSON of polygons); default "
        "overlay,labels",
    )
    sub.add_argument(
        "--ground",
        default="auto",
        metavar="auto|rgb|thermal|blend",
        help="what overlays are drawn on: RGB, thermal, both, or RGB that is brightened by night, "
        "with thermal where it stays dark (default auto)",
    )
    sub.add_argument("--legend", action="store_true", help="name the classes beneath overlays")
    sub.add_argument(
        "--only", metavar="CLASS,CLASS", help="classes that are wanted; others become 255, unknown"
    )
    sub.add_argument(
        "--threshold",
        metavar="N|CLASS=N,...",
        help="least confidence in 0..1, of all classes or by class; pixels below become 255, "
        "unknown",
    )
    recording_options(sub)
    camera_options(sub)
    view_options(sub)
    unpaired_option(sub)


def _seconds(text: str) -> float:
    from samantic.predict.timestamps import parse_tolerance

    try:
        return parse_tolerance(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text[:SHOWN]!r} is no time; give seconds as 0.05, or 50ms"
        ) from None


def _files(options: argparse.Namespace) -> list[Files]:
    from samantic.predict.folders import find_files

    return find_files(
        options.rgb,
        options.thermal,
        options.rgbt,
        unpaired=options.allow_unpaired,
        tolerance=options.tolerance,
    )


def run(options: argparse.Namespace) -> int:
    from samantic.data.preflight import TYPED, check_cameras, check_unit
    from samantic.display.ground import check_ground
    from samantic.measure.tables import pair_count
    from samantic.predict.domain import unlike, warning
    from samantic.predict.folders import predict_files
    from samantic.predict.saving import Look, kinds_of
    from samantic.predict.selection import selection_of
    from samantic.report.predictions import write_predictions
    from samantic.runtime.load import load

    kinds = kinds_of(options.save, "--save")
    recording = recording_of(options)
    files = [] if recording else _files(options)
    there = [bool(images or options.rgbt) for images in (options.rgb, options.thermal)]
    check_ground(options.ground, there[0], there[1], "--ground", "images")
    predictor = load(
        options.model,
        options.device,
        tile=options.tile,
        size=options.size,
        tta=options.tta,
        **camera_choice(options),
    )
    chosen = class_choice(options)
    predictor.selection = selection_of(predictor.classes, **chosen, prefix="--")
    if recording is not None:
        return run_recording(options, recording, predictor, kinds)
    place = str(options.thermal or options.rgbt)
    check_unit(files, predictor.camera.scaling, place, TYPED)
    check_cameras(files, predictor.camera)
    look = Look(options.ground, options.legend)
    summary = predict_files(predictor, files, options.out, kinds=kinds, look=look)
    problems = list(summary["failed"].values())
    for line in problems[:MOST_LINES]:
        print(f"samantic: {printable(line)}", file=sys.stderr)
    if len(problems) > MOST_LINES:
        rest = len(problems) - MOST_LINES
        print(f"samantic: {rest} more in {options.out / 'summary.json'}", file=sys.stderr)
    if not summary["count"]:
        return 2
    write_predictions(options.out, str(options.model), predictor, files, summary)
    confidence = {name: frame["confidence"] for name, frame in summary["frames"].items()}
    seen = predictor.info.confidence
    if told := warning(confidence, seen, unlike(confidence, seen)):
        print(f"samantic: {told}", file=sys.stderr)
    done = pair_count(summary["count"], files[0].images)
    written = [WRITTEN[kind] for kind in WRITTEN if kind in kinds]
    print(f"{done}: {', '.join(written)} and report.html in {options.out}")
    return 1 if summary["failed"] else 0
