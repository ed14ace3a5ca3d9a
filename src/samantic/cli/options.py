"""Options that several verbs share."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from samantic.config.data import MOST_TILE, TILE, Layout
from samantic.config.networks import TestTime
from samantic.config.options import SHOWN
from samantic.errors import InputError
from samantic.files import why_not_into

if TYPE_CHECKING:
    from samantic.data.cards.card import DatasetSpec

LAYOUTS = get_args(Layout)

NOUNS = {
    "rgb": "RGB images",
    "thermal": "thermal images",
    "labels": "label images",
    "rgbt": "4-channel images",
}
"""Names of the files in the options."""

MODEL = (
    "nano, nano-small, sartm-nano, run folder, model folder, hub id (owner/name, "
    "owner/name@revision) or exported file"
)
"""The ways to name a trained model."""


def file_options(sub: argparse.ArgumentParser) -> None:
    for kind in NOUNS:
        sub.add_argument(
            f"--{kind}", help=f"folder or pattern of the {NOUNS[kind]}, for the layout pairs"
        )
    unpaired_option(sub)


def unpaired_option(sub: argparse._ActionsContainer) -> None:
    sub.add_argument(
        "--allow-unpaired",
        action="store_true",
        help="leave out names that lack a file, and list them",
    )


def tolerance_option(sub: argparse._ActionsContainer, default: str) -> None:
    """How far apart in time partners may lie.

    Args:
        sub: Takes it.
        default: What partners are without it.
    """
    sub.add_argument(
        "--tolerance",
        type=_seconds,
        metavar="SECONDS",
        help="file names are times: pair images that are at most this far apart, as 0.05 or 50ms; "
        f"images without a partner are listed and left out (default: {default})",
    )


def _seconds(text: str) -> float:
    from samantic.data.timestamps import parse_tolerance

    try:
        return parse_tolerance(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text[:SHOWN]!r} is no time; give seconds as 0.05, or 50ms"
        ) from None


def class_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--classes",
        help="class names in the order of their ids, for the layout pairs, as car,person",
    )
    sub.add_argument(
        "--colors",
        help="colour of each of these classes in label images, as #000000,#ff0000",
    )


def data_card(options: argparse.Namespace) -> DatasetSpec:
    """The data card from `file_options`, `class_options` and --layout.

    Raises:
        InputError: The options do not fit together.
    """
    from samantic.data.cards.card import named
    from samantic.data.cards.catalog import check_layout_classes, own_files, with_colours

    layout = options.layout
    spec = own_files(layout, options.rgb, options.thermal, options.labels, options.rgbt, "--")
    option = "--allow-unpaired"
    spec = replace(spec, unpaired=options.allow_unpaired, unpaired_option=option)
    if layout != "pairs":
        classes = None if options.classes is None else words(options.classes)
        check_layout_classes(layout, classes, "--classes")
        if options.colors is not None:
            raise InputError(f"--colors: layout {layout} has its own; use layout pairs")
        return spec
    if options.classes is None:
        if options.colors is not None:
            raise InputError("--colors: say which classes they stand for, with --classes")
        return spec
    spec = named(spec, words(options.classes), "--classes")
    return with_colours(spec, options.colors and words(options.colors), "--colors")


def words(text: str) -> list[str]:
    """The parts of a list that is separated by commas."""
    return [word.strip() for word in text.split(",")]


def camera_options(sub: argparse.ArgumentParser) -> None:
    group = sub.add_argument_group("cameras")
    group.add_argument(
        "--thermal-scaling",
        metavar="8-bit|frame|[UNIT:]LOW,HIGH",
        help="how thermal values become 0..1, if their unit differs from that in training",
    )
    inverted_option(group)
    rig_option(group)
    group.add_argument(
        "--panorama",
        action=argparse.BooleanOptionalAction,
        help="images are full panoramas: predict without a seam at the left and right edge (takes "
        "about twice the time; default: as the data set or, for your own images, the model says)",
    )


def camera_choice(options: argparse.Namespace) -> dict[str, Any]:
    """The values of `camera_options` as arguments of `load`."""
    names = ("thermal_scaling", "thermal_inverted", "rig", "panorama")
    return {name: getattr(options, name) for name in names}


def prediction_options(sub: argparse.ArgumentParser) -> None:
    """Options for large images and for the wanted labels; see `class_choice`."""
    sub.add_argument(
        "--tile",
        type=whole(64, MOST_TILE),
        metavar="N",
        help=f"predict images with a side above N pixels, after --size, in overlapping tiles of N "
        f"pixels (default {TILE}, or the size of the training crops if that is larger)",
    )
    sub.add_argument(
        "--only",
        metavar="CLASS,CLASS",
        help="keep only these classes; other pixels become 255, unknown",
    )
    sub.add_argument(
        "--threshold",
        metavar="N|CLASS=N,...",
        help="least confidence in 0..1, for all classes or for single ones; pixels below become "
        "255, unknown",
    )


def class_choice(options: argparse.Namespace) -> dict[str, Any]:
    """The values of --only and --threshold as arguments of `selection_of`."""
    from samantic.predict.selection import parse_threshold

    return {
        "only": None if options.only is None else words(options.only),
        "threshold": None if options.threshold is None else parse_threshold(options.threshold),
    }


def view_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--size",
        type=_short_side,
        metavar="N|own",
        help="resize images to this short side for the network; labels keep the original size "
        "(default: as in the evaluation after the model's training)",
    )
    sub.add_argument(
        "--tta",
        choices=get_args(TestTime),
        help="test-time augmentation: average the predictions for the image and its mirror image "
        "(flip: 2 passes), for it and a larger one (scales: 2), or for all four (all)",
    )


def inverted_option(sub: argparse._ActionsContainer) -> None:
    sub.add_argument(
        "--thermal-inverted",
        action=argparse.BooleanOptionalAction,
        help="hot is dark in the thermal files (black-hot; default: as in training)",
    )


def rig_option(sub: argparse._ActionsContainer) -> None:
    sub.add_argument(
        "--rig",
        metavar="FILE|resize",
        help="calibration of cameras that are not aligned: YAML with a matrix thermal_to_rgb",
    )


def _short_side(text: str) -> int:
    """Parse a short side in pixels; 0 for `own`."""
    if text == "own":
        return 0
    if not text.isdigit() or not 32 <= int(text) <= 8192:
        raise argparse.ArgumentTypeError(f"{text!r} is neither 32 to 8192 pixels nor own")
    return int(text)


def whole(low: int, high: int) -> Callable[[str], int]:
    """A parser of whole numbers from `low` to `high` for the command line."""

    def read(text: str) -> int:
        number = int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else low - 1
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(
                f"{text[:SHOWN]!r} is not a whole number in {low}..{high}"
            )
        return number

    return read


def place(text: str) -> Path:
    """Parse a path; an empty text, as from a variable that is not set, is refused."""
    if not text.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is no path; give one, or leave the option out")
    return Path(text)


def folder(text: str) -> Path:
    """Parse a folder to write to; it need not exist."""
    path = place(text)
    if why := why_not_into(path):
        raise argparse.ArgumentTypeError(f"{why}; give another folder")
    return path


def file(text: str) -> Path:
    """Parse a file to write to; it need not exist."""
    path = place(text)
    if why := f"{path} is a folder" if path.is_dir() else why_not_into(path.parent):
        raise argparse.ArgumentTypeError(f"{why}; give another file")
    return path


def positive(text: str) -> float:
    """Parse a number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text[:SHOWN]!r} is not a number above 0")
    return number


def sides(text: str) -> tuple[int, int]:
    """Parse HEIGHTxWIDTH in pixels."""
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not HEIGHTxWIDTH, e.g. 480x640")
    side = whole(1, 8192)
    return side(match[1]), side(match[2])
