r"""Label unlabelled pairs by trained models, as more frames for training.

    python training/pseudo_labels.py runs/nano_labelled --rgb pairs/rgb --thermal pairs/thermal \
        --labelled data/mfnet --out data/mfnet_pseudo

Writes a folder in MFNet's layout. Its split train lists the labelled frames of `--split`, each
`--repeat` times, and all pairs; val and test are those of the labelled frames, if there are any. A
pixel takes the label with the highest mean probability of the models, or 255 if the probability is
too low. With `--share`, a class with few confident pixels keeps that share of its pixels, the most
confident ones (class-balanced self-training, arXiv 1810.07911). With `--flip` every model sees a
pair and its mirror image. Without models the pairs get no labels, for `samantic distill` with a
teacher.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

import samantic
from samantic.config.classes import IGNORE
from samantic.data.camera import ALIGNED_8_BIT, Camera
from samantic.data.samples import Files, read_images, to_tensor
from samantic.files import replacing, write_text
from samantic.predict.folders import find_files
from samantic.predict.model_folder import find_model, fingerprint
from samantic.predict.predictor import Predictor
from samantic.progress import progress
from samantic.provenance import files_digest, mark_png, png_mark

Answer = tuple[NDArray[np.uint8], NDArray[np.float32]]
"""Class ids and their probabilities, (H, W) each."""


@torch.inference_mode()
def answer(
    models: list[Predictor], rgb: torch.Tensor, thermal: torch.Tensor, options: argparse.Namespace
) -> Answer:
    """The mean prediction of models for a pair (1, 3, H, W) and (1, 1, H, W)."""
    found = []
    with torch.autocast("cpu", torch.bfloat16, enabled=options.bf16):
        for model in models:
            head = model.info.model.prediction
            found.append(model.network(rgb, thermal).probabilities(head)[0].float())
            if options.flip:
                mirrored = model.network(rgb.flip(-1), thermal.flip(-1))
                found.append(mirrored.probabilities(head)[0].float().flip(-1))
    confidence, ids = torch.stack(found).mean(0).max(0)
    return ids.byte().numpy(), confidence.numpy()


def thresholds(answers: list[Answer], least: float, share: float) -> NDArray[np.float64]:
    """(256,) the probability from which a pixel of each class keeps its label.

    It is `least`, or less if fewer than a share of the class's pixels would keep their labels.
    """
    bounds = np.full(256, least)
    if not share:
        return bounds
    for label in np.unique(np.concatenate([np.unique(ids) for ids, _ in answers])):
        values = np.concatenate([sure[ids == label] for ids, sure in answers])
        bounds[label] = min(least, np.quantile(values, 1 - share))
    return bounds


def main() -> None:
    options = _parse()
    models = [samantic.load(model, device="cpu") for model in options.models]
    known = [fingerprint(find_model(model)) for model in options.models]
    for folder in ("images", "labels"):
        shutil.copytree(options.labelled / folder, options.out / folder, dirs_exist_ok=True)
    files = find_files(options.rgb, options.thermal, None)
    names = [f"pseudo_{pair.name}" for pair in files]
    how = (str(options.confidence), str(options.share), str(options.flip), str(options.bf16))
    made = [files_digest((pair.rgb, pair.thermal), *known, *how) for pair in files]
    kinds = ("images", "labels") if models else ("images",)
    pairs = list(zip(files, names, made, strict=True))
    if not all(_is_made(options.out / k / f"{n}.png", mark) for k in kinds for _, n, mark in pairs):
        _write(options, models, pairs)
    for split in ("val", "test"):
        if (options.labelled / f"{split}.txt").exists():
            shutil.copy(options.labelled / f"{split}.txt", options.out / f"{split}.txt")
    train = (options.labelled / f"{options.split}.txt").read_text().split()
    write_text(options.out / "train.txt", "\n".join(options.repeat * train + names) + "\n")


def _is_made(path: Path, mark: str) -> bool:
    return path.exists() and png_mark(path) == mark


def _write(
    options: argparse.Namespace,
    models: list[Predictor],
    pairs: list[tuple[Files, str, str]],
) -> None:
    """Write the images of all pairs, then their labels, which need the predictions of all pairs."""
    camera: Camera = models[0].camera if models else ALIGNED_8_BIT
    answers: list[Answer] = []
    for pair, name, mark in progress(pairs, "label", "pair"):
        rgb, thermal = read_images(pair, camera)
        gray = np.rint(255 * thermal).astype(np.uint8)
        _save(np.dstack([rgb, gray]), options.out / "images" / f"{name}.png", mark)
        if models:
            shown = to_tensor(rgb)[None], torch.from_numpy(thermal)[None, None]
            answers.append(answer(models, *shown, options))
    bounds = thresholds(answers, options.confidence, options.share) if models else None
    for (_, name, mark), (ids, confidence) in zip(pairs, answers, strict=bool(models)):
        kept = np.where(confidence >= bounds[ids], ids, np.uint8(IGNORE))
        _save(kept, options.out / "labels" / f"{name}.png", mark)
    if bounds is not None:
        print("thresholds", " ".join(f"{x:.2f}" for x in bounds[: len(models[0].info.classes)]))


def _save(pixels: NDArray[np.uint8], path: Path, mark: str) -> None:
    """Save as a PNG with little compression: training reads it in half the time."""
    with replacing(path) as temporary:
        Image.fromarray(pixels).save(temporary, pnginfo=mark_png(mark), compress_level=0)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*")
    parser.add_argument("--rgb", type=Path, required=True)
    parser.add_argument("--thermal", type=Path, required=True)
    parser.add_argument("--labelled", type=Path, required=True, help="in MFNet's layout")
    parser.add_argument("--split", default="train", help="the labelled frames to learn from")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--confidence", type=float, default=0.8)
    parser.add_argument("--share", type=float, default=0.0)
    parser.add_argument("--flip", action="store_true")
    parser.add_argument("--bf16", action="store_true", help="mixed precision, faster")
    parser.add_argument("--repeat", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
