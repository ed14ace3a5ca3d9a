r"""Label pairs that nobody labelled by trained models, as more frames to train on.

    python training/pseudo_labels.py runs/nano_labelled --rgb pairs/rgb --thermal pairs/thermal \
        --labelled data/mfnet --out data/mfnet_pseudo

Writes a folder in MFNet's layout: its split train lists the labelled frames of train, each
`--repeat` times, and all pairs; val and test are those of the labelled frames. A pixel keeps the
label that the models' mean probability gives it, or 255 where that is not confident. Without models
the pairs get no label: for `samantic distill`, whose teacher knows more than a label.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

import samantic
from samantic.config.train import IGNORE
from samantic.data.camera import ALIGNED_8_BIT
from samantic.data.pairs import read_images, to_tensor
from samantic.files import replacing, write_text
from samantic.predict.folders import find_files
from samantic.predict.model_folder import find_model, fingerprint
from samantic.predict.predictor import Predictor
from samantic.provenance import files_digest, mark_png, png_mark


@torch.inference_mode()
def label(models: list[Predictor], rgb: torch.Tensor, thermal: torch.Tensor, least: float) -> Image:
    """The confident labels of a pair (1, 3, H, W) and (1, 1, H, W) as an image."""
    mean = torch.stack(
        [m.network(rgb, thermal).probabilities(m.info.model.prediction)[0] for m in models]
    ).mean(0)
    confidence, ids = mean.max(0)
    kept = torch.where(confidence >= least, ids, IGNORE)
    return Image.fromarray(kept.byte().numpy())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*")
    parser.add_argument("--rgb", type=Path, required=True)
    parser.add_argument("--thermal", type=Path, required=True)
    parser.add_argument("--labelled", type=Path, required=True, help="in MFNet's layout")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--confidence", type=float, default=0.8)
    parser.add_argument("--repeat", type=int, default=2)
    options = parser.parse_args()
    models = [samantic.load(model, device="cpu") for model in options.models]
    known = [fingerprint(find_model(model)) for model in options.models]
    for folder in ("images", "labels"):
        shutil.copytree(options.labelled / folder, options.out / folder, dirs_exist_ok=True)
    files = find_files(options.rgb, options.thermal, None)
    names = [f"pseudo_{pair.name}" for pair in files]
    for pair, name in zip(tqdm(files, "label", unit="pair"), names, strict=True):
        image, target = (options.out / part / f"{name}.png" for part in ("images", "labels"))
        made = files_digest((pair.rgb, pair.thermal), *known, str(options.confidence))
        there = (target, image) if models else (image,)
        if all(path.exists() and png_mark(path) == made for path in there):
            continue  # a stopped run goes on
        rgb, thermal = read_images(pair, models[0].camera if models else ALIGNED_8_BIT)
        gray = np.rint(255 * thermal).astype(np.uint8)
        with replacing(image) as temporary:
            Image.fromarray(np.dstack([rgb, gray])).save(temporary, pnginfo=mark_png(made))
        if not models:
            continue
        labels = label(
            models, to_tensor(rgb)[None], torch.from_numpy(thermal)[None, None], options.confidence
        )
        with replacing(target) as temporary:
            labels.save(temporary, pnginfo=mark_png(made))
    for split in ("val", "test"):
        shutil.copy(options.labelled / f"{split}.txt", options.out / f"{split}.txt")
    train = (options.labelled / "train.txt").read_text().split()
    write_text(options.out / "train.txt", "\n".join(options.repeat * train + names) + "\n")


if __name__ == "__main__":
    main()
