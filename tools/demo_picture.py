"""Draw the picture of docs/results/demo.md: scenes of a demo, and its networks' predictions.

python tools/demo_picture.py runs/demo docs/images/demo.jpg
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import samantic
from samantic.data import PairedFolder
from samantic.display.ground import ground_of
from samantic.display.overlay import overlay

SCENES = (0, 51, 47)
"""Numbers of unseen scenes: one by day, two by night."""

NETWORKS = ("fused", "rgb", "thermal")
SCALE, GAP = 2, 4


def enlarged(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Each pixel as a square, so that outlines are thin."""
    return pixels.repeat(SCALE, axis=0).repeat(SCALE, axis=1)


def main(demo: Path, out: Path) -> None:
    """A row for each scene: RGB, thermal, truth, and the networks' predictions."""
    unseen = PairedFolder(demo / "data", "mfnet", "test")
    models = [samantic.load(demo / name, device="cpu") for name in NETWORKS]
    rows = []
    for scene in SCENES:
        sample = unseen[scene]
        assert sample.rgb is not None  # noqa: S101
        assert sample.thermal is not None  # noqa: S101
        assert sample.labels is not None  # noqa: S101
        rgb = (255 * sample.rgb).round().byte().permute(1, 2, 0).numpy()
        thermal = (255 * sample.thermal[0]).round().byte().numpy()
        answers = [model.predict(rgb=rgb, thermal=thermal).labels for model in models]
        ground = ground_of(enlarged(rgb), enlarged(thermal))
        drawn = [
            np.asarray(overlay(ground, enlarged(labels), unseen.classes))
            for labels in (sample.labels.byte().numpy(), *answers)
        ]
        panels = [enlarged(rgb), np.repeat(enlarged(thermal)[..., None], 3, axis=2), *drawn]
        spaced = [np.pad(p, ((0, GAP), (0, GAP), (0, 0)), constant_values=255) for p in panels]
        rows.append(np.hstack(spaced)[:, :-GAP])
    Image.fromarray(np.vstack(rows)[:-GAP]).save(out, quality=90)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
