"""The cost of joining a teacher's classes with a SAM's masks on one core (GoodSAM's DAR).

    OMP_NUM_THREADS=1 python benchmarks/fusion.py --masks 200

Random rectangles replace masks; the best of several repeats counts.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from time import perf_counter

import torch

from samantic.distill.rectification import (
    complementary_fusion,
    overlap_consistency,
    refined_boundary,
)
from samantic.distill.windows import plan_windows

CLASSES = 19


def best(function: Callable[[], object], repeats: int) -> float:
    """Shortest time of several calls in seconds."""
    least = float("inf")
    for _ in range(repeats):
        start = perf_counter()
        function()
        least = min(least, perf_counter() - start)
    return least


def rectangles(count: int, height: int, width: int) -> torch.Tensor:
    """Masks (M, H, W): rectangles with sides up to two fifths of the height."""
    masks = torch.zeros(count, height, width, dtype=torch.bool)
    for mask in masks:
        top, left = int(torch.randint(height, ())), int(torch.randint(width, ()))
        rows, columns = (torch.rand(2) * 0.4 * height).long().tolist()
        mask[top : top + rows, left : left + columns] = True
    return masks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--masks", type=int, default=200)
    parser.add_argument("--size", type=int, nargs=2, default=(400, 1024))
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    height, width = options.size
    masks = rectangles(options.masks, height, width)
    labels = torch.randint(CLASSES, (height // 8, width // 8))
    labels = labels.repeat_interleave(8, 0).repeat_interleave(8, 1)
    masks = masks[:, : labels.shape[0], : labels.shape[1]]
    logits = torch.randn(4, 1, CLASSES, height, width)
    cut = plan_windows(width, (height, 2 * width))
    print(
        f"{options.masks} masks on {width}x{height}, {float(masks.sum(0).float().mean()):.1f} deep"
    )
    for name, function in {
        "complementary fusion": lambda: complementary_fusion(labels, masks, CLASSES),
        "refined boundary": lambda: refined_boundary(labels, masks),
        "consistency of 4 windows": lambda: overlap_consistency(logits, cut),
    }.items():
        print(f"{name:26}{1000 * best(function, options.repeats):8.0f} ms")


if __name__ == "__main__":
    main()
