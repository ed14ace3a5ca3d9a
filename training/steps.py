"""How many steps, and which learning rate, for N labelled frames: the table of docs/choosing.md.

    python training/steps.py --out steps
    python training/steps.py --out steps --table

The first line trains configs/custom_nano.yaml, which starts from nano, on 7, 20, 60 and 120
generated pairs that nano has never seen. They have nine classes, of which nano knows four by name.
It measures on 60 pairs of a separate split, and resumes where it stopped. The second line prints
the results: mean and range over seeds.
"""

from __future__ import annotations

import argparse
import json
import shutil
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

from samantic.config.read import read_config
from samantic.run.train import train
from samantic.scenes.write import write_scenes

ROOT = Path(__file__).parents[1]
FRAMES = (7, 20, 60, 120)
SIZE = (160, 224)
CLASSES = ["background", "car", "person", "bike", "kerb", "wheel stop", "barrier", "pylon", "hump"]


def ways(steps: list[int], rates: list[float], usual: float) -> list[tuple[int, float]]:
    """Steps and rates: all steps at the default rate, all rates at the middle number of steps."""
    middle = steps[len(steps) // 2]
    others = [(middle, rate) for rate in rates if rate != usual]
    return [*((count, usual) for count in steps), *others]


def measure(out: Path, frames: int, steps: int, rate: float, seed: int) -> dict[str, Any]:
    """The mIoU of one training on the split test."""
    run = out / f"{frames}_{steps}_{rate:g}_{seed}"
    shutil.rmtree(run, ignore_errors=True)  # the rest of a run that was cut off
    height, width = SIZE
    words = {
        "out": run,
        "data.root": out / "data",
        "data.classes": json.dumps(CLASSES),
        "data.train": f"train{frames}",
        "data.val": "null",
        "data.workers": 0,
        "data.test": "test",
        "augment.crop": f"[{height}, {width}]",
        "train.steps": steps,
        "train.learning_rate": rate,
        "train.seed": seed,
    }
    given = [part for key, value in words.items() for part in (f"--{key}", str(value))]
    found = train(read_config(ROOT / "configs" / "custom_nano.yaml", given), quiet=True)
    what = {"frames": frames, "steps": steps, "rate": rate, "seed": seed}
    return what | {"miou": found["miou"], "iou": found.get("iou")}


def table(found: list[dict[str, Any]]) -> str:
    """Markdown: mean over seeds, lowest and highest."""
    columns = list(dict.fromkeys((one["steps"], one["rate"]) for one in found))
    heads = " | ".join(f"{steps} steps, {rate:g}" for steps, rate in columns)
    lines = [f"| frames | {heads} |", "|---|" + "---|" * len(columns)]
    for frames in sorted({one["frames"] for one in found}):
        cells = []
        for way in columns:
            here = [
                100 * one["miou"]
                for one in found
                if one["frames"] == frames and (one["steps"], one["rate"]) == way
            ]
            cells.append(f"{mean(here):.1f} ({min(here):.1f} to {max(here):.1f})" if here else "")
        lines.append(f"| {frames} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--table", action="store_true", help="print what --out holds")
    parser.add_argument("--frames", nargs="+", type=int, default=FRAMES)
    parser.add_argument("--steps", nargs="+", type=int, default=[50, 150, 450])
    parser.add_argument("--rates", nargs="*", type=float, default=[1e-4, 1e-3])
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    kept = options.out / "steps.jsonl"
    data = options.out / "data"
    if not data.exists():
        splits = {f"train{count}": range(count) for count in options.frames}
        write_scenes(data, "pairs", {**splits, "test": range(1000, 1060)}, seed=11, size=SIZE)
    lines = kept.read_text().splitlines() if kept.exists() else []
    found = [json.loads(line) for line in lines]
    done = {(one["frames"], one["steps"], one["rate"], one["seed"]) for one in found}
    every = product(range(options.seeds), ways(options.steps, options.rates, 3e-4), options.frames)
    for seed, (steps, rate), frames in () if options.table else every:
        if (frames, steps, rate, seed) not in done:
            found.append(measure(options.out, frames, steps, rate, seed))
            with kept.open("a") as file:
                print(json.dumps(found[-1]), file=file)
    print(table(found))


if __name__ == "__main__":
    main()
