"""The verb `synthesize`."""

from __future__ import annotations

import argparse

from samantic.cli.options import LAYOUTS, folder, sides, whole
from samantic.config.options import SEED
from samantic.errors import InputError

HELP = "write generated labelled scenes"


def add_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--layout", choices=LAYOUTS, required=True, help="data set whose layout is written"
    )
    sub.add_argument("--out", type=folder, required=True, help="folder to write to")
    sub.add_argument(
        "--count",
        type=whole(3, 100_000),
        required=True,
        help="scenes: 70 %% train, 10 %% val, 20 %% test",
    )
    sub.add_argument("--seed", type=whole(0, SEED), required=True, help="seed of the scenes")
    sub.add_argument(
        "--size",
        type=sides,
        metavar="HxW",
        help="image size (default 480x640; panoramas 400x2048, cityscapes and stanford2d3d "
        "512x1024)",
    )


def run(options: argparse.Namespace) -> None:
    from samantic.provenance import check_folder, write_inputs
    from samantic.scenes.write import split_indices, write_scenes

    made = {key: getattr(options, key) for key in ("layout", "count", "seed", "size")}
    here = [] if not options.out.is_dir() else sorted(path.name for path in options.out.iterdir())
    check_folder(options.out, made, "scenes", here)
    try:
        splits = split_indices(options.count)
        write_inputs(options.out, made)
        write_scenes(options.out, options.layout, splits, seed=options.seed, size=options.size)
    except ValueError as error:
        raise InputError(f"synthesize: {error}") from None
    print(
        ", ".join(f"{name} {len(part)}" for name, part in splits.items()),
        f"scenes in {options.out}",
    )
