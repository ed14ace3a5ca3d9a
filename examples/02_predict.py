"""Segment one pair with a trained model, with both cameras and with either alone.

python examples/02_predict.py runs/example/run runs/example/data/images/NAME.png
"""

import sys
from pathlib import Path

import samantic
from samantic.data.images import read_rgbt

run, image = (Path(word) for word in sys.argv[1:3])
model = samantic.load(run)
rgb, thermal = read_rgbt(image)  # arrays; paths and PIL images of separate files do as well

for name, cameras in {
    "both": {"rgb": rgb, "thermal": thermal},
    "rgb": {"rgb": rgb},
    "thermal": {"thermal": thermal},
}.items():
    prediction = model.predict(**cameras)
    prediction.save(run / "predictions", f"{image.stem}_{name}")  # labels/ and overlays/
    seen = ", ".join(f"{key} {share:.1%}" for key, share in prediction.shares().items() if share)
    print(f"{name}: {seen}; mean confidence {prediction.confidence.mean():.2f}")
