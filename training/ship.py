"""Halve the precision of a trained base or model, so that it is small enough to ship.

python training/ship.py runs/nano/model src/samantic/weights/nano
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from safetensors.torch import load_file

from samantic.files import write_tensors

WEIGHTS = "model.safetensors"


def main(source: Path, target: Path) -> None:
    halves = {key: tensor.half() for key, tensor in load_file(source / WEIGHTS).items()}
    write_tensors(target / WEIGHTS, halves, {"format": "pt"})
    shutil.copy(source / "config.json", target / "config.json")
    print(f"{target}: {(target / WEIGHTS).stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
