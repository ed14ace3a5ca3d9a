"""The verb `convert`."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "write each frame of a thermal camera's recordings as an image of its own"


def add_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "source", type=Path, metavar="IN", help="a SEQ, FFF or TIFF of several pages, or a folder"
    )
    sub.add_argument("--out", type=Path, required=True, help="folder to write to")


def run(options: argparse.Namespace) -> None:
    from samantic.convert.sequences import convert_frames

    written = convert_frames(options.source, options.out)
    for name, count in written.items():
        print(f"{name}: {count} frame{'s' if count > 1 else ''}")
    print(f"{sum(written.values())} images in {options.out}")
