"""What the scripts of pre-training have in common: their options, and what they learn from."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import cast, get_args

from samantic.config import AugmentConfig, TrainConfig
from samantic.config.data import Layout
from samantic.files import write_json


def parser(doc: str, **defaults: object) -> argparse.ArgumentParser:
    """The common options; their defaults may differ."""
    made = argparse.ArgumentParser(description=doc.splitlines()[0])
    made.add_argument("--data", type=source, action="append", required=True)
    made.add_argument("--train", default="train", help="split to learn from")
    made.add_argument("--base", default="efficientnet-lite0")
    made.add_argument("--out", type=Path, required=True)
    made.add_argument("--crop", type=int, nargs=2, default=(192, 256), metavar=("H", "W"))
    made.add_argument("--steps", type=int, default=20_000)
    made.add_argument("--batch-size", type=int, default=8)
    made.add_argument("--scale", type=float, nargs=2, default=(0.7, 1.5), metavar=("MIN", "MAX"))
    made.add_argument("--learning-rate", type=float, default=2e-4)
    made.add_argument("--precision", default="auto")
    made.add_argument("--validations", type=int, default=20)
    made.add_argument("--workers", type=int, default=1)
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--resume", action="store_true")
    made.set_defaults(**defaults)
    return made


def source(text: str) -> tuple[Path, Layout]:
    """A data set's folder and layout, MFNet's unless it is said."""
    root, _, layout = text.partition(":")
    if layout not in ("", *get_args(Layout)):
        raise argparse.ArgumentTypeError(f"unknown layout {layout}")
    return Path(root), cast(Layout, layout or "mfnet")


def optimisation(options: argparse.Namespace) -> TrainConfig:
    """How the options want it to be learnt."""
    return TrainConfig(
        steps=options.steps,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        validations=options.validations,
        precision=options.precision,
        seed=options.seed,
    )


def augmentation(options: argparse.Namespace) -> AugmentConfig:
    """How the options want it to be changed."""
    crop, scale = tuple(options.crop), tuple(options.scale)
    return AugmentConfig(crop=crop, scale=scale, modality_dropout=0.0)


def keep_recipe(options: argparse.Namespace) -> None:
    """Write the options beside what they made."""
    recipe = {key: str(value) for key, value in vars(options).items() if key != "resume"}
    write_json(options.out / "recipe.json", recipe)
