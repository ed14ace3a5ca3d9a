r"""How much the random changes of colours and thermal values clip, on real or generated frames.

    python benchmarks/augmentation.py --data FOLDER --layout mfnet --split train

For RGB and thermal, by day and by night, over ten draws for each frame: the mean share of pixels at
either end of the range, the share of frames with more than half of their pixels clipped, and the
share of frames that are more than 90 % black. `added` is the form of earlier versions: they added
offsets to RGB's brightness and to thermal's level, where the present form uses a factor or a share
of the remaining range.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import kornia.augmentation as K
import torch
from torch import Tensor

from samantic.config import PhotometricConfig
from samantic.data.augment import Photometric
from samantic.data.loading import Batch, collate
from samantic.data.pairs import PairedFolder

EDGE = 0.5 / 255
DRAWS = 10
STRENGTHS = {"color": 0.4, "thermal_gain": 0.3}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--layout", default="mfnet")
    parser.add_argument("--split", default="train")
    parser.add_argument("--count", type=int, default=40, help="frames of each subset")
    options = parser.parse_args()
    torch.manual_seed(0)
    pairs = PairedFolder(options.data, options.layout, options.split)
    config = PhotometricConfig(
        **STRENGTHS, color_probability=1.0, blur=0.0, thermal_noise=0.0, modality_dropout=0.0
    )
    print("subset   image    form        cut off   frames > 50 % cut off   frames > 90 % black")
    subsets = sorted({pairs.subset(files.name) or "all" for files in pairs.files})
    for subset in subsets:
        chosen = [i for i, f in enumerate(pairs.files) if (pairs.subset(f.name) or "all") == subset]
        frames = [pairs[i] for i in chosen[: options.count]]
        found: dict[tuple[str, str], list[tuple[float, ...]]] = {}
        for batch in (collate(DRAWS * [frame]) for frame in frames):
            for key, pixels in forms(batch, Photometric(config)).items():
                found.setdefault(key, []).append(shares(pixels))
        for (image, form), rows in found.items():
            cut, half, black = torch.tensor(rows).mean(0).tolist()
            print(f"{subset:8} {image:8} {form:10} {cut:8.1%} {half:22.0%} {black:22.0%}")


def forms(batch: Batch, change: Photometric) -> dict[tuple[str, str], Tensor]:
    """The unchanged images, and the images after the changes of the first release and of today."""
    changed = change(batch)
    added = K.ColorJiggle(0.4, 0.4, 0.4, 0.05, p=1.0)(batch.rgb).clamp(0, 1)
    rows = {
        ("rgb", "as it is"): batch.rgb,
        ("rgb", "added"): added,
        ("rgb", "now"): changed.rgb,
    }
    if batch.thermal is not None and changed.thermal is not None:
        rows |= {
            ("thermal", "as it is"): batch.thermal,
            ("thermal", "added"): offset(batch.thermal, STRENGTHS["thermal_gain"]),
            ("thermal", "now"): changed.thermal,
        }
    return rows


def offset(thermal: Tensor, gain: float) -> Tensor:
    """0.5 + (1 + g)(t - 0.5) + o, with g and o uniform within ± gain, cut off at 0 and 1."""
    g, o = (torch.empty(len(thermal), 1, 1, 1).uniform_(-gain, gain) for _ in range(2))
    return (0.5 + (1 + g) * (thermal - 0.5) + o).clamp(0, 1)


def shares(images: Tensor) -> tuple[float, float, float]:
    """Mean share of clipped pixels, and shares of frames: over half clipped, over 90 % black."""
    flat = images.flatten(1)
    black = (flat <= EDGE).float().mean(1)
    cut = ((flat <= EDGE) | (flat >= 1 - EDGE)).float().mean(1)
    return float(cut.mean()), float((cut > 0.5).float().mean()), float((black > 0.9).float().mean())


if __name__ == "__main__":
    main()
