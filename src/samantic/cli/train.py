"""The verb `train`."""

from __future__ import annotations

import argparse
from typing import Any

from samantic.cli.configuration import config_options

HELP = "train on labelled pairs, select on the validation split, report on the test split"


def add_options(sub: argparse.ArgumentParser) -> None:
    config_options(sub, _kind)
    sub.add_argument(
        "--dry-run",
        action="store_true",
        help="do a few steps, keep nothing, and say how much memory and time the run needs",
    )


def run(options: argparse.Namespace) -> None:
    from samantic.config.read import read_config

    config = read_config(options.config, options.overrides)
    if options.dry_run:
        from samantic.run.dry import dry_run

        dry_run(config)
        return
    from samantic.run.train import train

    train(config, resume=options.resume)


def _kind() -> type[Any]:
    from samantic.config.train import Config

    return Config
