"""What a student costs beside SARTM: parameters, and time of a forward pass on one core.

    OMP_NUM_THREADS=1 python benchmarks/student.py --repeats 7

Random weights do. The networks take turns and the best of their turns counts, so that what else
the machine does touches all alike. sam2.1-hiera-tiny is transformers' default SAM2, with LoRA
folded in as for inference.
"""

from __future__ import annotations

import argparse
from time import perf_counter

import torch
from transformers import Sam2Config, Sam2Model

from samantic.config import AdaptConfig
from samantic.models import SARTM, Network, Student, load_sam2

CLASSES = 9


def networks() -> dict[str, Network]:
    """The networks to compare, all for RGB and thermal."""
    tiny = Sam2Model(Sam2Config())
    return {
        "student segformer-tiny": Student("segformer-tiny", CLASSES),
        "student segformer-b0": Student("segformer-b0", CLASSES),
        "SARTM random-nano": SARTM(load_sam2("random-nano"), CLASSES, adapt=AdaptConfig("full")),
        "SARTM sam2.1-hiera-tiny": SARTM(tiny, CLASSES, adapt=AdaptConfig("lora")),
    }


@torch.inference_mode()
def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--size", type=int, nargs=2, default=(480, 640))
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    pair = torch.rand(1, 3, *options.size), torch.rand(1, 1, *options.size)
    rivals = networks()
    best = dict.fromkeys(rivals, float("inf"))
    counts = {name: sum(p.numel() for p in rivals[name].parameters()) / 1e6 for name in rivals}
    for network in rivals.values():
        network.eval().merge()
        network(*pair)
    for _ in range(options.repeats):
        for name, network in rivals.items():
            start = perf_counter()
            network(*pair)
            best[name] = min(best[name], perf_counter() - start)
    size = "x".join(map(str, options.size))
    print(f"{CLASSES} classes, {size}, float32, one core, torch {torch.__version__}")
    for name, count in counts.items():
        print(f"{name:26}{count:8.2f} M{1000 * best[name]:9.0f} ms", end="")
        print("".join(f"{best[other] / best[name]:8.2f}x" for other in rivals if "SARTM" in other))


if __name__ == "__main__":
    main()
