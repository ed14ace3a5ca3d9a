"""Bring your own recordings into the layout `pairs`, and look at what a network would see.

    python examples/03_own_data.py RECORDING OUT

RECORDING holds NAME_rgb.png, NAME_thermal.png (8 bits, aligned) and NAME_labels.png (class ids).
"""

import shutil
import sys
from pathlib import Path

from samantic.data import PairedFolder

CLASSES = ["background", "person", "car"]  # in the order of their label ids

recording, out = Path(sys.argv[1]), Path(sys.argv[2])
names = sorted(path.name.removesuffix("_rgb.png") for path in recording.glob("*_rgb.png"))
for kind in ("rgb", "thermal", "labels"):
    (out / kind).mkdir(parents=True, exist_ok=True)
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
    pairs = PairedFolder(out, "pairs", split, classes=CLASSES)
    print(f"{split}: {len(pairs)} pairs of {tuple(pairs[0].labels.shape)} pixels")
print(f"next: samantic train configs/custom.yaml --data.root {out}")
