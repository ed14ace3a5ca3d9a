"""Put a trained base or model into the package, in half precision.

python training/ship.py runs/sam-nano/sam sam-nano
python training/ship.py runs/nano/model nano
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from safetensors.torch import load_file

from samantic.files import write_tensors
from samantic.weights import HERE


def main(source: Path, name: str) -> None:
    target = HERE / name
    weights = "model.safetensors"
    halves = {key: tensor.half() for key, tensor in load_file(source / weights).items()}
    write_tensors(target / weights, halves, {"format": "pt"})
    shutil.copy(source / "config.json", target / "config.json")
    print(f"{target}: {(target / weights).stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
