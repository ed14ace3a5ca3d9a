"""The verb `demo`."""

from __future__ import annotations

import argparse
from pathlib import Path

from samantic.cli.options import folder, whole
from samantic.config.options import SEED

HELP = "train, evaluate and predict on generated scenes, in minutes"


def add_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--out",
        type=folder,
        default=Path("runs/demo"),
        help="folder to write to (default runs/demo)",
    )
    sub.add_argument(
        "--seed",
        type=whole(0, SEED),
        default=0,
        help="seed of the training scenes and of the weights (default 0)",
    )
    sub.add_argument(
        "--eval-seed",
        type=whole(0, SEED),
        default=2000,
        help="seed of the test scenes (default 2000)",
    )
    sub.add_argument(
        "--steps",
        type=whole(1, 10**9),
        default=1000,
        help="optimiser steps of each network (default 1000)",
    )


def run(options: argparse.Namespace) -> None:
    from samantic.demo import demo

    demo(options.out, seed=options.seed, eval_seed=options.eval_seed, steps=options.steps)
