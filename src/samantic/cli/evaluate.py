"""The verb `evaluate`."""

from __future__ import annotations

import argparse

from samantic.cli.options import (
    LAYOUTS,
    MODEL,
    camera_options,
    class_options,
    data_card,
    file_options,
    folder,
    place,
    view_options,
    whole,
)
from samantic.errors import InputError

HELP = "measure a model on a labelled split"

RUN_FILES = ("last.ckpt", "config.yaml", "model")
"""Files of a training's run folder."""


def add_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "models",
        nargs="+",
        metavar="MODEL",
        help=f"{MODEL}; several are compared with the first",
    )
    sub.add_argument("--data", type=place, required=True, help="folder of the data set")
    sub.add_argument(
        "--layout", choices=LAYOUTS, required=True, help="how the files lie, see docs/datasets.md"
    )
    sub.add_argument("--split", required=True, help="split to measure on")
    sub.add_argument(
        "--robustness",
        action="store_true",
        help="measure also with missing, noisy, badly exposed and misaligned images (takes 12 "
        "times as long)",
    )
    sub.add_argument(
        "--frames",
        type=whole(1, 10**9),
        metavar="N",
        help="measure on at most N pairs, evenly spaced (default: all)",
    )
    sub.add_argument(
        "--skip-bad",
        action="store_true",
        help="skip pairs that cannot be read, and list them",
    )
    sub.add_argument(
        "--out", type=folder, help="folder to write to (default runs/evaluate/NAME-DATA-SPLIT)"
    )
    class_options(sub)
    sub.add_argument(
        "--map",
        metavar="DATA=MODEL,...",
        help="the model's class for each class of the data whose name differs, as "
        "bole=person,cavity=; a class with an empty entry is ignored",
    )
    file_options(sub)
    camera_options(sub)
    view_options(sub)


def run(options: argparse.Namespace) -> None:
    from samantic.data.class_names import parse_map
    from samantic.measure.disturbances import SUITE
    from samantic.run.compare import compare
    from samantic.run.evaluate import evaluate
    from samantic.run.split import Split

    if options.out is not None and any((options.out / name).exists() for name in RUN_FILES):
        raise InputError(f"{options.out}: holds a run and its own metrics; give another --out")
    single = len(options.models) == 1
    job, models = (evaluate, options.models[0]) if single else (compare, options.models)
    job(
        models,
        Split(
            options.data,
            data_card(options),
            options.split,
            options.thermal_scaling,
            options.rig,
            options.panorama,
            None if options.map is None else parse_map(options.map),
            options.size,
            options.tta,
            options.frames,
            thermal_inverted=options.thermal_inverted,
        ),
        out=options.out,
        disturbances=tuple(SUITE) if options.robustness else (),
        skip_bad=options.skip_bad,
    )
