"""How well bases segment everything: boundary recall of their grid masks on labelled images.

    python training/measure_sam.py runs/sam/sam random-nano --data FOLDER --split val --pictures out

Prints for every base the share of class boundaries that lie within three pixels of a mask's
boundary; the share of all pixels that do, which boundaries at random places would reach; and the
number of masks per image, at most `--most`. An untrained base keeps its weights (seed 0). The SAM
sees an image at the image's own size, or at `--size` pixels on the longer side. Of panoramas it
sees half-overlapping windows of `--window` pixels with the panorama's height. `--pictures` gets
three panels per image with a click's mask, a box's mask and the grid's masks.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import cast, get_args

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from samantic.config.classes import IGNORE
from samantic.config.data import Layout
from samantic.data import PairedFolder
from samantic.data.instances import components
from samantic.data.samples import Sample
from samantic.distill.grid_masks import boundaries, boundary_recall, dilate, grid_masks
from samantic.distill.windows import cut_window, plan_windows
from samantic.files import replacing
from samantic.models import load_sam2
from samantic.models.encoders.bases import is_random
from samantic.models.promptable import PromptableSAM
from samantic.progress import progress


def main() -> None:
    options = parse()
    pairs = PairedFolder(options.data, options.layout, options.split)
    for base in options.bases:
        torch.manual_seed(0)
        sam = PromptableSAM(load_sam2(base)).eval()
        recalls, shares, counts = [], [], []
        # an untrained network's quality estimates mean nothing: keep all masks
        quality = -10.0 if is_random(base) else options.quality
        for index in progress(range(len(pairs)), base, "image"):
            for name, rgb, labels in views(pairs[index], options.window):
                found = grid_masks(
                    sam,
                    rgb,
                    side=options.side,
                    quality=quality,
                    stability=options.stability,
                    longest=options.size,
                ).masks[: options.most]
                counts.append(len(found))
                shares.append(float(dilate(boundaries(found).any(0), 3).float().mean()))
                recall = boundary_recall(found, labels.where(labels != IGNORE, 0))
                recalls += [recall] if recall == recall else []
                if options.pictures and index < options.count:
                    path = options.pictures / f"{Path(base).name}_{name}.png"
                    with replacing(path) as temporary:
                        draw(sam, rgb, labels, found).save(temporary)
        print(
            f"{base}: boundary recall {np.mean(recalls):.3f} on {len(recalls)} images, of all "
            f"pixels {np.mean(shares):.3f}, {np.mean(counts):.0f} masks an image"
        )


def views(sample: Sample, window: int | None) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Name, RGB and labels of the SAM's inputs for a sample: the whole image, or its windows."""
    rgb, labels = cast(Tensor, sample.rgb), cast(Tensor, sample.labels)
    cut = plan_windows(window, sample.size)
    for top, left in cut.corners:
        images = (cut_window(x, (top, left), cut.window) for x in (rgb, labels))
        yield (sample.name if window is None else f"{sample.name}_{left}", *images)


@torch.inference_mode()
def draw(sam: PromptableSAM, rgb: Tensor, labels: Tensor, masks: Tensor) -> Image.Image:
    """Three panels: a click in the largest object, the box around it, and the grid's masks."""
    regions = torch.from_numpy(components(labels.byte().numpy()).astype(np.int64))
    thing = regions == regions[regions > 0].mode().values if (regions > 0).any() else labels >= 0
    y, x = thing.nonzero()[len(thing.nonzero()) // 2].tolist()
    rows, columns = thing.any(1).nonzero(), thing.any(0).nonzero()
    box = [int(v) for v in (columns[0], rows[0], columns[-1], rows[-1])]
    encoded = sam.encode(rgb[None])
    click = sam.decode(encoded, points=torch.tensor([[[[float(x), float(y)]]]])).best()[0][0, 0]
    boxed = sam.decode(encoded, boxes=torch.tensor([[box]]).float()).best()[0][0, 0]
    panels = [paint(rgb, part) for part in ((click > 0)[None], (boxed > 0)[None], masks)]
    ImageDraw.Draw(panels[0]).ellipse((x - 4, y - 4, x + 4, y + 4), fill="white", outline="black")
    ImageDraw.Draw(panels[1]).rectangle(box, outline="white", width=2)
    return Image.fromarray(np.concatenate([np.asarray(panel) for panel in panels], axis=1))


def paint(rgb: Tensor, masks: Tensor) -> Image.Image:
    """Masks (M, H, W) in random colours over an image (3, H, W), the largest at the bottom."""
    image = rgb.clone()
    colours = torch.rand(len(masks), 3, 1, generator=torch.Generator().manual_seed(0))
    for index in masks.flatten(1).sum(1).argsort(descending=True).tolist():
        image[:, masks[index]] = 0.4 * rgb[:, masks[index]] + 0.6 * colours[index]
    return Image.fromarray((255 * image).byte().permute(1, 2, 0).numpy())


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bases", nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--layout", choices=get_args(Layout), default="mfnet")
    parser.add_argument("--split", default="val")
    parser.add_argument("--side", type=int, default=16, help="clicks along the longer side")
    parser.add_argument("--quality", type=float, default=0.3, help="least expected IoU of a mask")
    parser.add_argument("--stability", type=float, default=0.6, help="least stability of a mask")
    parser.add_argument("--most", type=int, default=40, help="the best masks of an image, so many")
    parser.add_argument("--size", type=int, help="longer side in pixels that the SAM sees")
    parser.add_argument("--window", type=int, help="width in pixels of a panorama's windows")
    parser.add_argument("--pictures", type=Path, help="folder for panels")
    parser.add_argument("--count", type=int, default=4, help="images to draw")
    return parser.parse_args()


if __name__ == "__main__":
    main()
