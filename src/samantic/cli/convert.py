"""The verb `convert`."""

from __future__ import annotations

import argparse

from samantic.cli.options import folder, place, tolerance_option
from samantic.errors import InputError

HELP = "convert a tool's labels, or a thermal camera's recordings, to a data set"


def add_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "source",
        type=place,
        metavar="IN",
        help="labels as a tool exports them, or a SEQ, FFF or TIFF of several pages; a file or a "
        "folder, known by its content",
    )
    sub.add_argument("--out", type=folder, required=True, help="folder to write to")
    sub.add_argument(
        "--images",
        type=place,
        help="folder of the images that were labelled, copied to OUT/rgb (default: those beside "
        "the labels)",
    )
    sub.add_argument(
        "--thermal", type=place, help="folder of their thermal images, copied to OUT/thermal"
    )
    tolerance_option(sub, "thermal images have the names of the images")
    sub.add_argument(
        "--classes", help="names by label id, as background,car (default: those of the export)"
    )
    sub.add_argument(
        "--colors", help="colour of each of these classes in label images, as #000000,#ff0000"
    )
    sub.add_argument(
        "--map",
        type=place,
        metavar="YAML",
        help="file that says what becomes what: lines as `van: car`, `7: road`, "
        "`'#ff0000': car`, `sky: ignore` or `car: [van, 13]`",
    )
    sub.add_argument(
        "--unlabelled",
        metavar="CLASS|ignore",
        help="what a pixel without an object becomes (default: background)",
    )
    sub.add_argument(
        "--allow-unpaired",
        action="store_true",
        help="leave out labels without an image, and list them",
    )


def run(options: argparse.Namespace) -> None:
    from samantic.convert.labels import Places, convert_labels, find_format
    from samantic.convert.request import make_request
    from samantic.convert.table import conversion_table

    if options.out.resolve() == options.source.resolve():
        raise InputError(f"--out: {options.out} is what is converted; give another folder")
    words = {key: getattr(options, key) for key in ("classes", "colors")}
    lists = {
        key: text and [word.strip() for word in text.split(",")] for key, text in words.items()
    }
    request = make_request(**lists, mapping=options.map, unlabelled=options.unlabelled)
    form = find_format(options.source, request)
    if form is None:
        _recordings(options)
        return
    if options.tolerance is not None and options.thermal is None:
        raise InputError("--tolerance: pairs the images of --thermal; give their folder")
    folders = options.source, options.out, options.images, options.thermal
    places = Places(*folders, options.allow_unpaired, options.tolerance)
    print(conversion_table(convert_labels(form, places, request)))


def _recordings(options: argparse.Namespace) -> None:
    from samantic.convert.sequences import convert_frames

    for name in ("images", "thermal", "classes", "colors", "map", "unlabelled", "tolerance"):
        if getattr(options, name) not in (None, ""):
            raise InputError(
                f"{options.source}: no labels of a known format, which --{name} is for; "
                "docs/labels.md lists the formats"
            )
    written = convert_frames(options.source, options.out)
    for name, count in written.items():
        print(f"{name}: {count} frame{'s' if count > 1 else ''}")
    print(f"{sum(written.values())} images in {options.out}")
