"""The verb `distill`."""

from __future__ import annotations

import argparse
from typing import Any

from samantic.cli.configuration import config_options

HELP = "train a compact student without labels, from a teacher and a SAM"


def add_options(sub: argparse.ArgumentParser) -> None:
    config_options(sub, _kind)


def run(options: argparse.Namespace) -> None:
    from samantic.config.read import read_distill_config

    config = read_distill_config(options.config, options.overrides)
    from samantic.run.distill import distill

    distill(config, resume=options.resume)


def _kind() -> type[Any]:
    from samantic.config.distill import DistillConfig

    return DistillConfig
