"""The verb `evaluate`."""

from __future__ import annotations

import argparse
from pathlib import Path

from samantic.cli.options import LAYOUTS, MODEL, camera_options, data_card, file_options
from samantic.errors import InputError

HELP = "measure a model on a labelled split"


def add_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "models",
        nargs="+",
        metavar="MODEL",
        help=f"{MODEL}; several are compared with the first",
    )
    sub.add_argument("--data", type=Path, required=True, help="folder of the data set")
    sub.add_argument("--layout", choices=LAYOUTS, required=True)
    sub.add_argument("--split", required=True)
    sub.add_argument(
        "--robustness",
        action="store_true",
        help="measure with missing, noisy, badly exposed and misaligned images too (takes 15 times "
        "as long)",
    )
    sub.add_argument(
        "--skip-bad",
        action="store_true",
        help="go on past pairs that cannot be read, and name them",
    )
    sub.add_argument("--out", type=Path, help="default runs/evaluate/NAME-SPLIT")
    file_options(sub)
    camera_options(sub)


def run(options: argparse.Namespace) -> None:
    from samantic.disturbances import SUITE
    from samantic.run import Split, compare, evaluate

    if options.out is not None and (options.out / "last.ckpt").exists():
        raise InputError(f"{options.out}: holds a run and its own metrics; give another --out")
    alone = len(options.models) == 1
    job, models = (evaluate, options.models[0]) if alone else (compare, options.models)
    job(
        models,
        Split(
            options.data,
            data_card(options),
            options.split,
            options.thermal_scaling,
            options.rig,
            options.panorama,
            options.size,
        ),
        out=options.out,
        disturbances=tuple(SUITE) if options.robustness else (),
        skip_bad=options.skip_bad,
    )
