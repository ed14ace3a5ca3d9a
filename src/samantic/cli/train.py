"""The verb `train`."""

from __future__ import annotations

import argparse
from functools import partial

from samantic.cli.options import config_options

HELP = "train on labelled pairs, select on val, report on test"


def add_options(sub: argparse.ArgumentParser) -> None:
    config_options(sub)
    sub.format_help = partial(_help, sub)  # type: ignore[method-assign]


def run(options: argparse.Namespace) -> None:
    from samantic.config_files import read_config

    config = read_config(options.config, options.overrides)
    from samantic.run import train

    train(config, resume=options.resume)


def _help(parser: argparse.ArgumentParser) -> str:
    from samantic.config_files import config_help

    return argparse.ArgumentParser.format_help(parser) + "\nconfiguration keys:\n" + config_help()
