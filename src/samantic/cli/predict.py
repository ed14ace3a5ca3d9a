"""The verb `predict`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from samantic.cli.options import MODEL, camera_options, unpaired_option, whole
from samantic.config.train import MOST_TILE, TILE
from samantic.strings import printable

HELP = "segment pairs: label PNGs, overlays and a page of both"

MOST_LINES = 10
"""At most this many bad pairs are printed."""


def add_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("model", metavar="MODEL", help=MODEL)
    sub.add_argument("--rgb", type=Path, help="RGB image or folder")
    sub.add_argument("--thermal", type=Path, help="thermal image or folder")
    sub.add_argument(
        "--rgbt", type=Path, help="4-channel image or folder, instead of the other two"
    )
    sub.add_argument("--out", type=Path, required=True, help="folder to write to")
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
    camera_options(sub)
    unpaired_option(sub)


def run(options: argparse.Namespace) -> int:
    from samantic.data.preflight import TYPED, check_unit
    from samantic.measure.tables import pair_count
    from samantic.predict.folders import find_files, predict_files
    from samantic.predict.predictor import load
    from samantic.report.predictions import write_predictions

    files = find_files(options.rgb, options.thermal, options.rgbt, options.allow_unpaired)
    predictor = load(
        options.model,
        options.device,
        options.thermal_scaling,
        options.rig,
        options.tile,
        options.panorama,
        options.size,
        options.tta,
    )
    place = str(options.thermal or options.rgbt)
    check_unit(files, predictor.camera.scaling, place, TYPED)
    summary = predict_files(predictor, files, options.out)
    problems = list(summary["failed"].values())
    for line in problems[:MOST_LINES]:
        print(f"samantic: {printable(line)}", file=sys.stderr)
    if len(problems) > MOST_LINES:
        rest = len(problems) - MOST_LINES
        print(f"samantic: {rest} more in {options.out / 'summary.json'}", file=sys.stderr)
    if not summary["count"]:
        return 2
    write_predictions(options.out, str(options.model), predictor, files, summary)
    done = pair_count(summary["count"])
    print(f"{done}: label PNGs, overlays and report.html in {options.out}")
    return 1 if summary["failed"] else 0
