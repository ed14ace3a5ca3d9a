"""Segment one pair with a trained model, with both cameras and with either alone.

python examples/02_predict.py MODEL IMAGE OUT

MODEL is nano, a run folder or a model folder; IMAGE has four channels, of which the last is
thermal.
"""

import sys
from pathlib import Path

import samantic
from samantic.data.images import read_rgbt
from samantic.errors import InputError, one_line


def main(name: str, image: Path, out: Path) -> None:
    rgb, thermal = read_rgbt(image)  # arrays; paths and PIL images of separate files work too
    model = samantic.load(name)
    answers = {
        "both": model(rgb, thermal),
        "rgb": model(rgb=rgb),
        "thermal": model(thermal=thermal),
    }
    for cameras, prediction in answers.items():
        prediction.save(out, f"{image.stem}_{cameras}")  # labels/ and overlays/
        shares = prediction.shares().items()
        seen = ", ".join(f"{key} {share:.1%}" for key, share in shares if share)
        print(f"{cameras}: {seen}; mean confidence {prediction.confidence.mean():.2f}")


with one_line("02_predict.py"):
    if len(sys.argv) != 4:
        raise InputError("give three words: python examples/02_predict.py MODEL IMAGE OUT")
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
