"""Options that several verbs share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from samantic.config import Layout

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
    sub.add_argument("--resume", action="store_true", help="continue a stopped run")
    usage = sub.format_help
    sub.format_help = lambda: f"{usage()}\nconfiguration keys:\n{keys()}"  # type: ignore[method-assign]


def file_options(sub: argparse.ArgumentParser) -> None:
    for kind in ("rgb", "thermal", "labels", "rgbt"):
        sub.add_argument(f"--{kind}", help=f"folder or pattern of {kind} files, layout pairs")


def data_card(options: argparse.Namespace) -> DatasetSpec:
    """What `file_options` and --layout say of the files."""
    from samantic.data.catalog import own_files

    return own_files(options.layout, options.rgb, options.thermal, options.labels, options.rgbt)


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
    sub.add_argument(
        "--size",
        type=_short_side,
        metavar="N|own",
        help="bring images to this short side for the network; labels keep the images' own size "
        "(default: as the model was evaluated after its training)",
    )


def rig_option(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--rig",
        metavar="FILE|resize",
        help="calibration of cameras that are not aligned: YAML with a matrix thermal_to_rgb",
    )


def _short_side(text: str) -> int:
    """Pixels; 0 for `own`."""
    if text == "own":
        return 0
    if not text.isdigit() or not 32 <= int(text) <= 8192:
        raise argparse.ArgumentTypeError(f"{text!r} is neither 32 to 8192 pixels nor own")
    return int(text)
