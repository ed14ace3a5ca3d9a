"""Cost of a student and of SARTM: parameters, operations, and time of a pass on one core.

    OMP_NUM_THREADS=1 python benchmarks/student.py --repeats 7

Weights are random, except those of nano, the shipped model. Operations are those of convolutions
and matrix products; a multiplication and its addition count as two. The networks run in turns and
the best turn counts, so that other work on the machine affects all alike. sam2.1-hiera-tiny is
transformers' default SAM2, with LoRA merged as for inference.
"""

from __future__ import annotations

import argparse
from time import perf_counter

import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import Sam2Config, Sam2Model

from samantic.config import AdaptConfig
from samantic.models import SARTM, Network, Student, TwoStream, load_sam2
from samantic.predict.model_folder import load_model

CLASSES = 9


def networks() -> dict[str, Network]:
    """The networks to compare, all for RGB and thermal."""
    tiny = Sam2Model(Sam2Config())
    lite, short = "efficientnet-lite0", "efficientnet-lite0-short"
    return {
        f"{short}, early": TwoStream(short, CLASSES, fusion="early", pretrained=False),
        f"{lite}, early": TwoStream(lite, CLASSES, fusion="early", pretrained=False),
        "nano": load_model("nano")[0],
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
    operations = {}
    for name, network in rivals.items():
        network.eval().merge()
        with FlopCounterMode(display=False) as counter:
            network(*pair)
        operations[name] = counter.get_total_flops() / 1e9
    for _ in range(options.repeats):
        for name, network in rivals.items():
            start = perf_counter()
            network(*pair)
            best[name] = min(best[name], perf_counter() - start)
    size = "x".join(map(str, options.size))
    print(f"{CLASSES} classes, {size}, float32, one core, torch {torch.__version__}")
    against = [name for name in rivals if name == "nano" or "SARTM" in name]
    print(f"{'time beside that of':>64}" + "".join(f"{other.split()[-1]:>20}" for other in against))
    for name, count in counts.items():
        print(f"{name:32}{count:7.2f} M{operations[name]:8.1f} G", end="")
        print(f"{1000 * best[name]:9.0f} ms", end="")
        print("".join(f"{best[name] / best[other]:20.2f}" for other in against))


if __name__ == "__main__":
    main()
