r"""Where a model loses: what the stride costs, what a larger image brings, what it fits.

    python training/gap.py runs/a runs/b --data FOLDER --split val --strides 4 8 16 --sizes 480 720

Prints a table of mIoU and IoU by class, in per cent, of one split in MFNet's layout:

- the labels themselves, as seen at each of the strides: the share of each class in every cell,
  enlarged bilinearly, of which the largest wins. What is lost there a map of this stride can hardly
  show;
- each model, and each of its heads where it has two;
- its logits averaged over the cells of each stride and enlarged again: what its answer would lose
  if it came from such a map;
- its answer for images brought to each short side.

Differences are to the model itself, paired by frame, with their 95 % interval. On the frames that a
model learnt from, its own row says how well it fits them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from samantic.config.classes import IGNORE
from samantic.config.networks import Head
from samantic.data import PairedFolder
from samantic.data.resize import magnify, network_scale, resize_to
from samantic.metrics import confusion_matrix, paired_difference, scores
from samantic.models import Network
from samantic.predict.model_folder import load_model
from samantic.progress import progress

Answers = Iterator[tuple[str, Tensor]]
"""What is asked, and logits or shares (1, K, H, W)."""


def at_stride(maps: Tensor, stride: int) -> Tensor:
    """Maps (N, K, H, W) as their means over cells, enlarged bilinearly to their own size."""
    height, width = maps.shape[-2:]
    padded = F.pad(maps, (0, -width % stride, 0, -height % stride), mode="replicate")
    large = F.interpolate(F.avg_pool2d(padded, stride), scale_factor=stride, mode="bilinear")
    return large[..., :height, :width]


def of_labels(labels: Tensor, classes: int, strides: list[int]) -> Answers:
    """The labels (1, H, W) at each stride; ignored pixels are of no class."""
    known = (labels != IGNORE)[..., None]
    shares = (F.one_hot(labels.where(labels != IGNORE, 0), classes) * known).movedim(-1, 1).float()
    for stride in strides:
        yield f"labels at stride {stride}", at_stride(shares, stride)


def of_model(
    network: Network, head: Head, images: dict[str, Tensor], options: argparse.Namespace
) -> Answers:
    """What a network answers for a pair, itself first."""
    out = network(**images)
    size = out.logits.shape[-2:]
    own = out.answer(head)
    yield "itself", own
    for other in network.heads if len(network.heads) > 1 else ():
        yield f"head {other}", out.answer(other)
    for stride in options.strides:
        yield f"logits at stride {stride}", at_stride(own.float(), stride)
    for side in options.sizes:
        scale = network_scale(size, side)
        shown = network(**{name: magnify(image, scale) for name, image in images.items()})
        yield f"short side {side}", resize_to(shown.probabilities(head), size)


@torch.inference_mode()
def measure(folder: PairedFolder, options: argparse.Namespace) -> dict[str, dict[str, Tensor]]:
    """By model and question the confusion matrices (n, K, K); the labels' are under `truth`."""
    loaded = {name: load_model(name) for name in options.models}
    for network, _ in loaded.values():
        network.merge()
    counted: dict[str, dict[str, list[Tensor]]] = {name: {} for name in ("truth", *loaded)}
    for index in progress(range(len(folder)), "gap", "pair"):
        sample = folder[index]
        images = {name: image[None] for name, image in sample.images.items()}
        labels = cast(Tensor, sample.labels)[None]
        asked = {"truth": of_labels(labels, len(folder.classes), options.strides)}
        for name, (network, info) in loaded.items():
            asked[name] = of_model(network, info.model.prediction, images, options)
        for name, answers in asked.items():
            for question, maps in answers:
                matrix = confusion_matrix(maps.argmax(1), labels, len(folder.classes))
                counted[name].setdefault(question, []).append(matrix)
    return {
        name: {question: torch.stack(found) for question, found in part.items()}
        for name, part in counted.items()
    }


def table(found: dict[str, dict[str, Tensor]], classes: tuple[str, ...]) -> str:
    """In Markdown."""
    lines = [
        f"| | mIoU | to itself | {' | '.join(classes)} |",
        "|---|---:|---|" + "---:|" * len(classes),
    ]
    for name, part in found.items():
        for question, matrices in part.items():
            whole, difference = scores(matrices.sum(0)), ""
            if "itself" in part and question != "itself":
                gain = [f"{100 * x:+.2f}" for x in paired_difference(matrices, part["itself"])]
                difference = "{} ({} to {})".format(*gain)
            asked = question if name == "truth" else f"{Path(name).name}, {question}"
            each = " | ".join(f"{100 * x:.1f}" for x in whole.iou.tolist())
            lines.append(f"| {asked} | {100 * whole.miou:.2f} | {difference} | {each} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="*")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--strides", type=int, nargs="*", default=[])
    parser.add_argument("--sizes", type=int, nargs="*", default=[], help="short sides in pixels")
    parser.add_argument("--most", type=int, default=10**9, help="frames, evenly spaced")
    options = parser.parse_args()
    folder = PairedFolder(options.data, "mfnet", options.split)
    folder.keep_evenly(options.most)
    print(f"{len(folder)} frames of {options.split}")
    print(table(measure(folder, options), folder.classes))


if __name__ == "__main__":
    main()
