"""Size of the scores of FFM's context and sharpness of their softmax, as a sum and as a mean.

OMP_NUM_THREADS=1 python benchmarks/context.py sartm-nano --data data/mfnet --split val
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from typing import Any

import torch
from torch import Tensor

import samantic
from samantic.data import PairedFolder
from samantic.models import FeatureFusion


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="a SARTM whose fusion is paper")
    parser.add_argument("--data", required=True, help="a folder in MFNet's layout")
    parser.add_argument("--split", default="val")
    options = parser.parse_args()
    model = samantic.load(options.model, device="cpu")
    found: dict[tuple[str, str], list[Tensor]] = defaultdict(list)
    for name, module in model.network.named_modules():
        if isinstance(module, FeatureFusion):
            for part in module.key_value:
                part.register_forward_hook(watch(found, name, module.heads))
    pairs: Any = PairedFolder(options.data, "mfnet", options.split, camera=model.camera)
    for pair in pairs:
        model.classify(*pair.batch())
    print(f"{len(pairs)} pairs; of heads and pairs the median of the largest score, and the mean")
    print("entropy of a column of the softmax, 1 for a uniform one and 0 for one channel alone")
    for (name, context), rows in found.items():
        scores, entropy = torch.cat(rows).unbind(1)
        print(f"{name} {context}: {scores.median():.4f} {entropy.mean():.3f}")


def watch(found: dict[tuple[str, str], list[Tensor]], name: str, heads: int) -> Any:
    """A hook on FFM's linear layer of keys and values."""

    def hook(module: Any, inputs: Any, key_value: Tensor) -> None:
        k, v = (x.unflatten(2, (heads, -1)).transpose(1, 2) for x in key_value.chunk(2, dim=-1))
        total = k.transpose(-2, -1) @ v / math.sqrt(k.shape[-1])
        for context, scores in (("sum", total), ("mean", total / k.shape[-2])):
            p = scores.softmax(-2)
            entropy = -torch.xlogy(p, p).sum(-2).mean(-1) / math.log(p.shape[-2])
            found[name, context].append(torch.stack([scores.abs().amax((-2, -1)), entropy], -1)[0])

    return hook


if __name__ == "__main__":
    main()
