"""Peak memory and time of a training step, with and without activation checkpointing.

The network is SARTM with LoRA on a layout of SAM2.1 with random weights: memory and time do not
depend on the weights. Each number comes from its own process.

    OMP_NUM_THREADS=1 python benchmarks/memory.py --sizes tiny --images 480x640
"""

from __future__ import annotations

import argparse
import multiprocessing
from time import perf_counter

import torch
from shapes import SHAPES, build_sam

from samantic.config import AdaptConfig
from samantic.losses import ohem_cross_entropy
from samantic.models import SARTM
from samantic.models.checkpointing import checkpoint_blocks
from samantic.run.dry import forget_peak, peak_of

CLASSES = 9


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
