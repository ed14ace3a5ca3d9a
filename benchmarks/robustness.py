r"""How long an evaluation under all disturbances takes, with and without the encoders' cache.

    OMP_NUM_THREADS=1 python benchmarks/robustness.py nano sartm-nano --data FOLDER --split test

Seconds of one core for `--frames` pairs: undisturbed, then under the whole suite without the cache,
as in earlier versions, and with it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from time import process_time

import torch

import samantic
from samantic.data.pairs import PairedFolder
from samantic.measure import counting
from samantic.measure.disturbances import SUITE
from samantic.measure.evaluation import evaluate_predictor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--layout", default="mfnet")
    parser.add_argument("--split", default="test")
    parser.add_argument("--frames", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    remembered = counting.MOST
    for name in options.models:
        model = samantic.load(name, device="cpu")
        data = PairedFolder(options.data, options.layout, options.split, camera=model.camera)
        data.keep_evenly(options.frames)
        evaluate_predictor(model, data)  # load all lazy imports first
        for title, disturbances, most in (
            ("undisturbed", (), remembered),
            ("disturbed, nothing remembered", tuple(SUITE), 0),
            ("disturbed", tuple(SUITE), remembered),
        ):
            counting.MOST = most
            start = process_time()
            found = evaluate_predictor(model, data, disturbances=disturbances)
            spent, share = process_time() - start, found.network_seconds / found.seconds
            print(f"{name}, {title}: {spent:.2f} s, network {share:.0%}", flush=True)


if __name__ == "__main__":
    main()
