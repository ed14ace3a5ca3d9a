"""Options that several verbs share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from samantic.config import Layout
from samantic.errors import InputError

if TYPE_CHECKING:
    from samantic.data.spec import DatasetSpec

LAYOUTS = get_args(Layout)

MODEL = "nano, sartm-nano, run folder, model folder or hub id"
"""What may stand for a trained model."""


def config_options(sub: argparse.ArgumentParser, keys: Callable[[], str]) -> None:
    """A configuration file, and the text that lists its keys, which --help ends with."""
    sub.add_argument(
        "config", type=Path, metavar="CONFIG", help="YAML file; --key value overrides a key"
    )
    sub.add_argument(
        "--resume",
        action="store_true",
        help="continue a stopped run, as it was begun; its length and devices may change",
    )
    usage = sub.format_help
    sub.format_help = lambda: f"{usage()}\nconfiguration keys:\n{keys()}"  # type: ignore[method-assign]


def file_options(sub: argparse.ArgumentParser) -> None:
    for kind in ("rgb", "thermal", "labels", "rgbt"):
        sub.add_argument(f"--{kind}", help=f"folder or pattern of {kind} files, layout pairs")


def class_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--classes", help="names by label id for the layout pairs, as car,person")
    sub.add_argument(
        "--colors",
        help="colour of each of these classes in label images, as #000000,#ff0000",
    )


def data_card(options: argparse.Namespace) -> DatasetSpec:
    """What `file_options`, `class_options` and --layout say of the files."""
    from samantic.data.catalog import own_files, with_colours
    from samantic.data.spec import named

    layout = options.layout
    spec = own_files(layout, options.rgb, options.thermal, options.labels, options.rgbt)
    for name, given in (("--classes", options.classes), ("--colors", options.colors)):
        if given is not None and layout != "pairs":
            raise InputError(f"{name}: layout {layout} has its own; use layout pairs")
    if options.classes is None:
        if options.colors is not None:
            raise InputError("--colors: say which classes they stand for, with --classes")
        return spec
    spec = named(spec, _words(options.classes))
    return with_colours(spec, options.colors and _words(options.colors), "--colors")


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


def camera_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--thermal-scaling",
        metavar="8-bit|frame|LOW,HIGH",
        help="how thermal values become 0..1, if their unit is another than in training",
    )
    rig_option(sub)
    sub.add_argument(
        "--panorama",
        action="store_true",
        help="images go all around: no seam at the left and right edge (about twice as slow)",
    )


def rig_option(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--rig",
        metavar="FILE|resize",
        help="calibration of cameras that are not aligned: YAML with a matrix thermal_to_rgb",
    )
