"""Peak memory and time of a training step, with and without activation checkpointing.

The network is SARTM with LoRA on SAM2.1's layout of a size, with random weights: memory and time do
not depend on what the weights are. Each figure comes from a process of its own.

    OMP_NUM_THREADS=1 python benchmarks/memory.py --sizes tiny --images 480x640
"""

from __future__ import annotations

import argparse
import multiprocessing
from dataclasses import dataclass
from time import perf_counter

import torch
from transformers import Sam2Config, Sam2Model

from samantic.config import AdaptConfig
from samantic.losses import ohem_cross_entropy
from samantic.models import SARTM
from samantic.models.checkpointing import checkpoint_blocks
from samantic.run.dry import forget_peak, peak_of


@dataclass(frozen=True)
class Shape:
    """Hiera of a SAM2.1: width and heads of its first stage, blocks, windows."""

    width: int
    heads: int
    blocks: tuple[int, int, int, int]
    everywhere: tuple[int, ...]
    windows: tuple[int, int, int, int] = (8, 4, 14, 7)
    background: tuple[int, int] = (7, 7)


SHAPES = {
    "tiny": Shape(96, 1, (1, 2, 7, 2), (5, 7, 9)),
    "small": Shape(96, 1, (1, 2, 11, 2), (7, 10, 13)),
    "base-plus": Shape(112, 2, (2, 3, 16, 3), (12, 16, 20), background=(14, 14)),
    "large": Shape(144, 2, (2, 6, 36, 4), (23, 33, 43), windows=(8, 4, 16, 8)),
}
"""Source: the config.json files of facebook/sam2.1-hiera-*."""

CLASSES = 9


def build_sam(shape: Shape) -> Sam2Model:
    """SAM2.1 of a size with random weights."""
    widths = [shape.width * 2**stage for stage in range(4)]
    trunk = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": shape.width,
        "num_attention_heads": shape.heads,
        "blocks_per_stage": list(shape.blocks),
        "embed_dim_per_stage": widths,
        "num_attention_heads_per_stage": [shape.heads * 2**stage for stage in range(4)],
        "window_size_per_stage": list(shape.windows),
        "global_attention_blocks": list(shape.everywhere),
        "window_positional_embedding_background_size": list(shape.background),
    }
    vision = {"backbone_config": trunk, "backbone_channel_list": widths[::-1]}
    config = Sam2Config(vision_config=vision)
    config._attn_implementation = "sdpa"
    return Sam2Model(config)


def measure(name: str, size: tuple[int, int], batch: int, less: bool) -> tuple[float, float, float]:
    """MB before a step and at its peak, and its seconds."""
    torch.manual_seed(0)
    network = SARTM(build_sam(SHAPES[name]), CLASSES, adapt=AdaptConfig("lora", 16)).train()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device)
    if less:
        checkpoint_blocks(network)
    images = [torch.rand(batch, channels, *size, device=device) for channels in (3, 1)]
    labels = torch.randint(CLASSES, (batch, *size), device=device)
    optimizer = torch.optim.AdamW(p for p in network.parameters() if p.requires_grad)
    forget_peak(device)
    before, start = peak_of(device), perf_counter()
    out = network(*images)
    loss = ohem_cross_entropy(out.logits, labels)
    (loss + 0.4 * ohem_cross_entropy(out.auxiliary, labels)).backward()
    optimizer.step()
    return before / 1e6, peak_of(device) / 1e6, perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", choices=SHAPES, default=["tiny"])
    parser.add_argument("--images", nargs="+", default=["480x640"], metavar="HxW")
    parser.add_argument("--batch", type=int, default=1)
    options = parser.parse_args()
    print("| SAM2.1 | image | checkpointing | before, MB | peak, MB | step, s |")
    print("|---|---|---|---|---|---|")
    spawn = multiprocessing.get_context("spawn")
    for name in options.sizes:
        for image in options.images:
            height, width = map(int, image.split("x"))
            peaks = []
            for less in (False, True):
                with spawn.Pool(1) as pool:
                    words = (name, (height, width), options.batch, less)
                    before, peak, seconds = pool.apply(measure, words)
                peaks.append(peak - before)
                row = f"{before:.0f} | {peak:.0f} | {seconds:.1f}"
                print(f"| {name} | {image} | {'yes' if less else 'no'} | {row} |", flush=True)
            saved = 100 * (1 - peaks[1] / peaks[0])
            words = f"saves {saved:.0f} % of what a step adds"
            print(f"| {name} | {image} | {words} | | | |", flush=True)


if __name__ == "__main__":
    main()
