"""The verb `predict`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samantic.cli.options import (
    MODEL,
    camera_choice,
    camera_options,
    class_choice,
    folder,
    place,
    prediction_options,
    tolerance_option,
    unpaired_option,
    view_options,
)
from samantic.cli.recording import (
    MOST_LINES,
    WRITTEN,
    recording_of,
    recording_options,
    run_recording,
)
from samantic.errors import InputError
from samantic.strings import printable

if TYPE_CHECKING:
    from samantic.data.samples import Files
    from samantic.predict.asking import PairPredictor

HELP = "segment images and videos: label PNGs, overlays and a report"


def add_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("model", metavar="MODEL", help=MODEL)
    _image_options(sub)
    _output_options(sub)
    sub.add_argument(
        "--device", default="auto", help="auto (a GPU if there is one), cpu, cuda, cuda:1, mps, ..."
    )
    prediction_options(sub)
    recording_options(sub)
    camera_options(sub)
    view_options(sub)


def _image_options(sub: argparse.ArgumentParser) -> None:
    """Options for the images, and for how the two cameras' images are paired."""
    group = sub.add_argument_group("images")
    group.add_argument("--rgb", type=place, help="RGB image, folder or video")
    group.add_argument("--thermal", type=place, help="thermal image, folder or video")
    group.add_argument(
        "--rgbt", type=place, help="4-channel image or folder, instead of the other two"
    )
    tolerance_option(
        group,
        "partners have equal names; for videos, the time between two frames of the faster camera",
    )
    unpaired_option(group)


def _output_options(sub: argparse.ArgumentParser) -> None:
    """Options for the files that are written for each pair."""
    group = sub.add_argument_group("output")
    group.add_argument("--out", type=folder, required=True, help="folder to write to")
    group.add_argument(
        "--save",
        type=lambda text: text.split(","),
        default="overlay,labels",
        metavar="KIND,KIND",
        help="what to write for each pair: overlay (picture), labels (PNG of class ids), "
        "confidence (PNG, 255 is 1), probabilities (.npz, float16), contours (JSON of polygons); "
        "default overlay,labels",
    )
    group.add_argument(
        "--ground",
        default="auto",
        metavar="auto|rgb|thermal|blend",
        help="image under the overlays: rgb, thermal, blend (both), or auto: RGB, brightened at "
        "night, and thermal where it stays dark (default auto)",
    )
    group.add_argument(
        "--legend", action="store_true", help="write the names of the classes below the overlays"
    )


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
    from samantic.predict.folders import predict_files
    from samantic.predict.saving import Look, kinds_of
    from samantic.report.predictions import write_predictions

    kinds = kinds_of(options.save, "--save")
    recording = recording_of(options)
    files = [] if recording else _files(options)
    _check_apart(options)
    there = [bool(images or options.rgbt) for images in (options.rgb, options.thermal)]
    check_ground(options.ground, there[0], there[1], "--ground", "images")
    predictor = _load(options)
    if recording is not None:
        return run_recording(options, recording, predictor, kinds)
    place = str(options.thermal or options.rgbt)
    check_unit(files, predictor.camera.scaling, place, TYPED)
    check_cameras(files, predictor.camera)
    look = Look(options.ground, options.legend)
    summary = predict_files(predictor, files, options.out, kinds=kinds, look=look)
    _print_failures(list(summary["failed"].values()), options.out)
    if not summary["count"]:
        return 2
    write_predictions(options.out, str(options.model), predictor, files, summary)
    _print_doubts(predictor, summary)
    done = pair_count(summary["count"], files[0].images)
    written = [WRITTEN[kind] for kind in WRITTEN if kind in kinds]
    print(f"{done}: {', '.join(written)} and report.html in {options.out}")
    return 1 if summary["failed"] else 0


def _check_apart(options: argparse.Namespace) -> None:
    """Refuse to write predictions where the next command would take them for images.

    Raises:
        InputError: `--out` is a folder of images, or lies in one whose subfolders hold the images.
    """
    from samantic.data.folders import is_image

    out = options.out.resolve()
    for images in (options.rgb, options.thermal, options.rgbt):
        if images is None or not images.is_dir():
            continue
        top = images.resolve()
        nested = top in out.parents and not any(is_image(path) for path in top.iterdir())
        if out == top or nested:
            raise InputError(
                f"--out: {options.out}: predictions would lie among the images of {images}; give "
                "a folder beside it"
            )


def _load(options: argparse.Namespace) -> PairPredictor:
    """Load the model with the given options."""
    from samantic.predict.selection import selection_of
    from samantic.runtime.load import load

    views = {name: getattr(options, name) for name in ("tile", "size", "tta")}
    predictor = load(options.model, options.device, **views, **camera_choice(options))
    chosen = class_choice(options)
    predictor.selection = selection_of(predictor.classes, **chosen, prefix="--")
    return predictor


def _print_failures(problems: list[str], out: Path) -> None:
    """Print which pairs failed; a long list is shortened."""
    for line in problems[:MOST_LINES]:
        print(f"samantic: {printable(line)}", file=sys.stderr)
    if len(problems) > MOST_LINES:
        rest = len(problems) - MOST_LINES
        print(f"samantic: {rest} more in {out / 'summary.json'}", file=sys.stderr)


def _print_doubts(predictor: PairPredictor, summary: dict[str, Any]) -> None:
    """Print a warning if the images seem to differ from the training data."""
    from samantic.predict.domain import unlike, warning

    confidence = {name: frame["confidence"] for name, frame in summary["frames"].items()}
    seen = predictor.info.confidence
    if told := warning(confidence, seen, unlike(confidence, seen)):
        print(f"samantic: {told}", file=sys.stderr)
