"""Bring your own recordings into the layout `pairs`, and check what a network would see.

    python examples/03_own_data.py RECORDING OUT

RECORDING holds NAME_rgb.png, NAME_thermal.png (8 bits, aligned) and NAME_labels.png (class ids).
"""

import shutil
import sys
import tempfile
from pathlib import Path

from samantic.data import PairedFolder
from samantic.data.cards.catalog import own_files
from samantic.errors import InputError, one_line

CLASSES = ["background", "person", "car"]  # in the order of their label ids
KINDS = ("rgb", "thermal", "labels")


def copy_pairs(recording: Path, out: Path) -> None:
    """Read every pair as a training would, then copy all of them."""
    patterns = (f"*_{kind}.png" for kind in KINDS)
    card = own_files("pairs", *patterns, None)
    there = PairedFolder(recording, card, "all", classes=CLASSES)
    if len(there) < 5:
        raise InputError(f"{recording}: {len(there)} pairs; three splits need 5 or more")
    sizes = {there[i].size for i in range(len(there))}  # raises an error for unreadable files
    names = [pair.name for pair in there.files]
    for kind in KINDS:
        (out / kind).mkdir()
        for name in names:
            shutil.copy(recording / f"{name}_{kind}.png", out / kind / f"{name}.png")

    # Frames of one drive resemble one another: split by time, not at random.
    first, second = round(0.7 * len(names)), round(0.8 * len(names))
    for split, part in {
        "train": names[:first],
        "val": names[first:second],
        "test": names[second:],
    }.items():
        (out / f"{split}.txt").write_text("\n".join(part) + "\n")
        print(f"{split}: {len(part)} pairs of {', '.join(map(str, sorted(sizes)))} pixels")


with one_line("03_own_data.py"):
    if len(sys.argv) != 3:
        raise InputError("give two folders: python examples/03_own_data.py RECORDING OUT")
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    if target.exists():
        raise InputError(f"{target}: is there already; give a new folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    # the folder has a temporary name until it is complete
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as made:
        whole = Path(made, "whole")
        whole.mkdir()
        copy_pairs(source, whole)
        whole.rename(target)
    print(f"next: samantic train configs/custom.yaml --data.root {target}")
