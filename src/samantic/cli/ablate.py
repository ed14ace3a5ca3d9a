"""The verb `ablate`."""

from __future__ import annotations

import argparse
from pathlib import Path

from samantic.cli.configuration import config_keys
from samantic.cli.options import folder, place, whole
from samantic.config.options import SEED, SHOWN

HELP = "train every row of ablation tables, and write the tables"


def add_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("tables", type=place, nargs="+", metavar="TABLE", help="YAML file of a table")
    sub.add_argument(
        "--config",
        type=place,
        required=True,
        help="configuration that the rows change; --key value changes it for all of them",
    )
    sub.add_argument(
        "--seeds", type=_seeds, default=[0, 1, 2], metavar="N,N,...", help="default 0,1,2"
    )
    sub.add_argument("--jobs", type=whole(1, 64), default=1, help="runs at a time (default 1)")
    sub.add_argument(
        "--out", type=folder, default=Path("runs/ablate"), help="folder (default runs/ablate)"
    )
    sub.set_defaults(keys=_keys)


def run(options: argparse.Namespace) -> int:
    from samantic.ablation import ablate

    failed = ablate(
        options.tables,
        options.config,
        options.overrides,
        seeds=options.seeds,
        jobs=options.jobs,
        out=options.out,
    )
    return 1 if failed else 0


def _keys() -> set[str]:
    from samantic.config.distill import DistillConfig
    from samantic.config.train import Config

    return config_keys(Config, DistillConfig)


def _seeds(text: str) -> list[int]:
    read = whole(0, SEED)
    seeds = [read(part.strip()) for part in text.split(",")]
    if len(set(seeds)) < len(seeds):
        raise argparse.ArgumentTypeError(f"{text[:SHOWN]!r} gives a seed twice")
    return seeds
