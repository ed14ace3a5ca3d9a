r"""Split labelled frames of MFNet into folds by place and time, for cross-validation.

    python training/folds.py --labelled data/mfnet --out data/mfnet_folds

Writes a folder in MFNet's layout that holds the frames of train and val, and for every fold K the
splits foldK_train and foldK_val. A run of consecutive frame numbers is cut into parts of `--part`
frames, which stay together. The parts of one sequence go to the folds in turn, so that few
neighbours are separated. `all` lists every frame.
"""

from __future__ import annotations

import argparse
from itertools import groupby
from pathlib import Path

import numpy as np
from PIL import Image

from samantic.data.image_files import decode
from samantic.data.images import read_rgbt
from samantic.files import replacing, write_text

PLAN = (
    ("00501D", "00521D", "00701N"),
    ("00101D", "01101N", "01121N"),
    ("00111D", "00121D", "00711N"),
    ("00131D", "00721N", "00731N"),
    ("00141D", "00741N"),
)
"""First frames of the parts of each fold: both times of day in each, few places separated."""


def parts(names: list[str], length: int) -> dict[str, list[str]]:
    """Names by the first frame of their part."""
    found = groupby(sorted(names), lambda name: (name[-1], (int(name[:-1]) - 1) // length))
    groups = [list(group) for _, group in found]
    return {group[0]: group for group in groups}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labelled", type=Path, required=True, help="in MFNet's layout")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--part", type=int, default=10)
    options = parser.parse_args()
    lists = [(options.labelled / f"{split}.txt").read_text().split() for split in ("train", "val")]
    names = sorted({name for part in lists for name in part})
    by_part = parts(names, options.part)
    planned = [first for fold in PLAN for first in fold]
    if sorted(planned) != sorted(by_part):
        raise SystemExit(f"PLAN names the parts {sorted(planned)}, there are {sorted(by_part)}")
    for folder in ("images", "labels"):
        for name in names:
            target = options.out / folder / f"{name}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            path = options.labelled / folder / f"{name}.png"
            pixels = np.dstack(read_rgbt(path)) if folder == "images" else decode(path).samples
            with replacing(target) as temporary:  # hardly compressed: read in a third of the time
                Image.fromarray(pixels).save(temporary, compress_level=0)
    write_text(options.out / "all.txt", "\n".join(names) + "\n")
    for number, fold in enumerate(PLAN):
        held = [name for first in fold for name in by_part[first]]
        kept = [name for name in names if name not in held]
        for split, chosen in (("train", kept), ("val", held)):
            write_text(options.out / f"fold{number}_{split}.txt", "\n".join(chosen) + "\n")


if __name__ == "__main__":
    main()
