"""The verb `train`."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

HELP = "train on labelled pairs, select on val, report on test"


def add_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "config", type=Path, metavar="CONFIG", help="YAML file; --key value overrides a key"
    )
    sub.add_argument("--resume", action="store_true", help="continue a stopped run")
    sub.format_help = partial(_help, sub)  # type: ignore[method-assign]


def run(options: argparse.Namespace) -> None:
    from samantic.config_files import read_config

    config = read_config(options.config, options.overrides)
    from samantic.run import train

    train(config, resume=options.resume)


def _help(parser: argparse.ArgumentParser) -> str:
    from samantic.config_files import config_help

    return argparse.ArgumentParser.format_help(parser) + "\nconfiguration keys:\n" + config_help()
