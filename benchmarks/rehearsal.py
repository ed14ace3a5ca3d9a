"""Every benchmark configuration at its full size, without the real weights and data sets.

Writes SAM2.1 with random weights in the hub's files, a CLIP in the same way, and generated scenes
of full size in the layouts of MFNet, PST900 and FMB. Each configuration then runs through the real
commands: --dry-run, two steps of a training with its validation and test, an evaluation and a
prediction, each in its own process. This tests shapes, keys, memory and time of a real run.

    python benchmarks/rehearsal.py --out runs/rehearsal

OUT/cells.jsonl has a line for each finished command, which is not run again: start the script again
to continue. Dry runs come first. The table is written to OUT/table.md.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bounded import Bounds, run_bounded
from rehearsal_table import facts_of, table
from shapes import MICRO, SHAPES, write_clip, write_sam

from samantic.config.read import read_config
from samantic.data import CATALOG, PairedFolder
from samantic.scenes.write import write_scenes

ROOT = Path(__file__).parents[1]

SIZES = {"mfnet": (480, 640), "pst900": (720, 1280), "fmb": (600, 800)}
"""Height and width of a data set's images."""

KINDS = ("", "_late", "_paper")
CELLS = {f"{layout}{kind}": "base-plus" for layout in SIZES for kind in KINDS}
"""The nine configurations, and their SAM2."""

SMALL = (64, 96)
"""Height and width of the images with --tiny."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("runs/rehearsal"))
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=list(CELLS))
    parser.add_argument("--sizes", nargs="+", choices=SHAPES, default=[], help="of mfnet, besides")
    parser.add_argument("--batch", type=int, default=1, help="train.batch_size")
    parser.add_argument("--without-checkpointing", action="store_true")
    parser.add_argument("--gigabytes", type=float, default=10, help="bound of a command's memory")
    parser.add_argument("--minutes", type=float, default=60, help="bound of a command's time")
    parser.add_argument("--before", default="", help='words before each command, as "nice -n 10"')
    parser.add_argument("--tiny", action="store_true", help="small images and networks: a trial")
    parser.add_argument("--table", action="store_true", help="print what is recorded, run nothing")
    options = parser.parse_args()
    options.out = options.out.resolve()
    cells = [("mfnet", size) for size in options.sizes]
    cells += [(name, MICRO if options.tiny else CELLS[name]) for name in options.cells]
    for verbs in () if options.table else (VERBS[:1], VERBS[1:]):  # dry runs fill the table first
        for name, size in cells:
            rehearse(name, size, verbs, options)
    records = recorded(options.out)
    text = table(records)
    print(text)
    (options.out / "table.md").write_text(text + "\n")
    wanted = {(f"{name} {size}", verb) for name, size in cells for verb in VERBS}
    done = {(r["cell"], r["verb"]) for r in records if r["status"] == "done"}
    return 0 if wanted <= done else 1


def recorded(out: Path) -> list[dict[str, Any]]:
    """The finished commands, the last record of each."""
    path = out / "cells.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    found = [json.loads(line) for line in lines]
    return list({(one["cell"], one["verb"]): one for one in found}.values())


def rehearse(name: str, size: str, verbs: Sequence[str], options: argparse.Namespace) -> None:
    """Run the unfinished commands of a cell, up to the first one that fails."""
    cell = f"{name} {size}"
    done = {(r["cell"], r["verb"]) for r in recorded(options.out) if r["status"] == "done"}
    if verbs[0] != VERBS[0] and (cell, VERBS[0]) not in done:
        return
    for verb in verbs:
        if (cell, verb) in done:
            continue
        print(f"{cell}: {verb}", flush=True)
        record = once(verb, name, size, options)
        with (options.out / "cells.jsonl").open("a") as file:
            file.write(json.dumps({"cell": cell, **record}) + "\n")
        if record["status"] != "done":
            print(f"{cell}: {verb}: {record['status']}: {record['told']}", flush=True)
            return


def once(verb: str, name: str, size: str, options: argparse.Namespace) -> dict[str, Any]:
    """Run a command, and return its record."""
    command = words_of(verb, name, size, options)
    full = [*shlex.split(options.before), sys.executable, "-m", "samantic", *command]
    found = run_bounded(full, Bounds(options.gigabytes * 1e9, 60 * options.minutes), ROOT)
    facts = facts_of(verb, found.pop("output"), read_config(ROOT / "configs" / f"{name}.yaml", []))
    return {"verb": verb, "command": shlex.join(command), **found, **facts}


VERBS = ("dry run", "train", "evaluate", "predict")


def words_of(verb: str, name: str, size: str, options: argparse.Namespace) -> list[str]:
    """The words of the real command; missing inputs are written."""
    layout = name.partition("_")[0]
    data = data_of(layout, options)
    run = options.out / "runs" / f"{name}_{size}"
    if verb == "evaluate":
        return [verb, str(run), "--data", str(data), "--layout", layout, "--split", "test",
                "--out", f"{run}_test"]  # fmt: skip
    if verb == "predict":
        images = [f"--{kind}={path}" for kind, path in pair_of(data, layout).items()]
        return [verb, str(run), *images, "--out", f"{run}_predictions"]
    path = ROOT / "configs" / f"{name}.yaml"
    keys = {
        "out": run,
        "data.root": data,
        "model.base": base_of(size, options),
        "train.steps": 2,
        "train.validations": 1,
        "train.batch_size": options.batch,
        "train.checkpointing": "false" if options.without_checkpointing else "true",
    }
    if read_config(path, []).text.source:
        keys["text.source"] = clip_of(options)
    words = ["train", str(path), *(f"--{key}={value}" for key, value in keys.items())]
    if options.tiny:
        words += ["--augment.crop", "[64, 64]", "--data.eval_size", "64", "--data.workers", "0"]
    if verb == "dry run":
        return [*words, "--dry-run"]
    return [*words, "--resume"] if (run / "last.ckpt").exists() else words


def base_of(size: str, options: argparse.Namespace) -> Path:
    """The folder of a SAM2.1."""
    folder = options.out / "bases" / size
    if not (folder / "model.safetensors").exists():
        write_sam(folder, SHAPES[size])
    return Path(folder)


def clip_of(options: argparse.Namespace) -> Path:
    """The folder of a CLIP."""
    folder = options.out / "bases" / "clip"
    if not (folder / "model.safetensors").exists():
        write_clip(folder, small=options.tiny)
    return Path(folder)


def data_of(layout: Any, options: argparse.Namespace) -> Path:
    """The folder of generated scenes: 10 for training, one for validation and one for the test."""
    root = Path(options.out) / "data" / layout
    splits = {"train": range(10), "val": range(10, 11), "test": range(11, 12)}
    if not (root / "done").exists():
        write_scenes(root, layout, splits, seed=0, size=SMALL if options.tiny else SIZES[layout])
        (root / "done").touch()
    return root


def pair_of(root: Path, layout: Any) -> dict[str, Path]:
    """The files of the test pair, by the option of `predict`."""
    name = PairedFolder(root, layout, "test")[0].name
    spec = CATALOG[layout]
    places = {"rgbt": spec.images} if spec.images else {"rgb": spec.rgb, "thermal": spec.thermal}
    return {
        kind: root / place.format(split="test") / f"{name}.png" for kind, place in places.items()
    }


if __name__ == "__main__":
    sys.exit(main())
