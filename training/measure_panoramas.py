"""Measure a model on panoramas as a whole, and in tiles around them.

    python training/measure_panoramas.py runs/goodsam_scenes --data data/panoramas --tile 384

Prints a line for the model's default and for every --tile: its mIoU on a split in the layout of
DensePASS, and the share of pixels whose labels turn along when the panorama is turned by half its
width.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

import samantic
from samantic.data import PairedFolder
from samantic.metrics import confusion_matrix, paired_difference, scores
from samantic.predict.predictor import Predictor
from samantic.progress import progress


def main() -> None:
    options = parse()
    reference = None
    for tile in [None, *options.tile]:
        model = samantic.load(options.model, tile=tile, panorama=True)
        pairs = PairedFolder(options.data, "densepass", options.split, classes=model.info.classes)
        matrices, agreement = measure(model, pairs)
        line = f"tile {tile or 'of the model'}: mIoU {100 * scores(matrices.sum(0)).miou:.2f}"
        line += f", turned by half {100 * agreement:.3f} % agree"
        reference = matrices if reference is None else reference
        gain, low, high = (100 * v for v in paired_difference(matrices, reference))
        print(line if tile is None else f"{line}, {gain:+.2f} ({low:.2f} to {high:.2f})")


def measure(model: Predictor, pairs: PairedFolder) -> tuple[Tensor, float]:
    """(n, K, K) confusion matrices of n panoramas; the share of labels that half a turn keeps."""
    matrices, agreement = [], []
    for index in progress(range(len(pairs)), "panoramas", "image"):
        sample = pairs[index]
        rgb, truth = cast(Tensor, sample.rgb), cast(Tensor, sample.labels)
        half = rgb.shape[-1] // 2
        labels, turned = (
            model.classify(x[None], None).labels[0, 0] for x in (rgb, rgb.roll(half, -1))
        )
        matrices.append(confusion_matrix(labels, truth, len(model.info.classes)))
        agreement.append(float((turned == labels.roll(half, -1)).float().mean()))
    return torch.stack(matrices), sum(agreement) / len(agreement)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--tile", type=int, nargs="*", default=[], help="sides of tiles in pixels")
    return parser.parse_args()


if __name__ == "__main__":
    main()
