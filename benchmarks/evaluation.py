"""Where an evaluation spends its time and memory: most of both should be the network's.

    python benchmarks/evaluation.py --frames 1000

Weights are random, since they do not affect the time. --data takes a folder of scenes that
`samantic synthesize --layout mfnet` wrote before; without it they are generated (5 minutes).
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import tempfile
from pathlib import Path

import torch

from samantic.config import AdaptConfig, SartmConfig
from samantic.data import CATALOG, PairedFolder
from samantic.data.camera import ALIGNED_8_BIT
from samantic.data.samples import Sample
from samantic.measure.evaluation import evaluate_predictor
from samantic.models.build import build
from samantic.predict.info import ModelInfo
from samantic.predict.predictor import Predictor
from samantic.scenes.write import write_scenes

PAGE = 4096
"""Bytes of a page of memory."""


class Watched(PairedFolder):
    """Records the resident memory whenever a pair is read."""

    def __getitem__(self, index: int) -> Sample:
        if index == 0:
            self.memory: list[float] = []
        pages = Path("/proc/self/statm").read_text().split()[1]
        self.memory.append(int(pages) * PAGE / 1e6)
        return super().__getitem__(index)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--base", default="random-nano")
    parser.add_argument("--data", type=Path, help="generated scenes in MFNet's layout, with a list")
    parser.add_argument("--split", default="all")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = options.data or Path(temporary)
        if options.data is None:
            write_scenes(root, "mfnet", {"all": range(options.frames)}, seed=0, size=(480, 640))
        dataset = Watched(root, "mfnet", options.split)
        dataset.files = dataset.files[: options.frames]
        spec = CATALOG["mfnet"]
        info = ModelInfo(
            SartmConfig(options.base, auxiliary="fpn", prediction="mean"),
            AdaptConfig("full"),
            spec.classes,
            spec.palette,
            spec.title,
            None,
            (),
            ALIGNED_8_BIT,
        )
        torch.manual_seed(0)
        predictor = Predictor(build(info.model, info.adapt, len(info.classes)), info)
        profile = cProfile.Profile()
        evaluation = profile.runcall(
            evaluate_predictor, predictor, dataset, pictures=16, extremes=12
        )
    outside = evaluation.seconds - evaluation.network_seconds
    first, last = (sum(part) / len(part) for part in (dataset.memory[:100], dataset.memory[-100:]))
    print(f"{len(evaluation.names)} frames, {options.base} on {predictor.device}")
    print(f"outside the network: {outside / evaluation.seconds:.1%} of the time")
    print(f"resident memory, first and last hundred frames: {first:.0f} MB, {last:.0f} MB")
    pstats.Stats(profile).sort_stats("cumulative").print_stats("samantic", 22)


if __name__ == "__main__":
    main()
