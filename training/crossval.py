r"""Measure runs on the folds that they were not trained on, and compare recipes frame by frame.

    python training/crossval.py 'runs/plain_f{k}' 'runs/rare_f{k}' --data data/mfnet_folds \
        --folds 0 2

Every pattern is a recipe; {k} in it is the number of a fold of `folds.py`. Prints the mIoU over all
frames of the folds, by day and by night, the IoU of each class, and the difference to the first
recipe with its 95 % interval over frames. A run with `train.ema` may be followed by :raw: then its
weights without the average are taken from last.ckpt. A run of SARTM may be followed by the name of
one of its heads, such as :mask, that predicts. Several seeds are several patterns joined by +.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from samantic.data.pairs import PairedFolder
from samantic.measure.evaluation import evaluate_predictor
from samantic.metrics import scores
from samantic.metrics.intervals import bootstrap, paired_difference
from samantic.predict.model_folder import load_model
from samantic.predict.predictor import Predictor

KEPT = "fold_matrices{}.pt"
"""File in a run folder that holds the frames' confusion matrices."""


def measure(run: str, data: Path, fold: str) -> Tensor:
    """The confusion matrices (n, K, K) of a run on a fold's frames; computed once, then stored."""
    path, _, variant = run.partition(":")
    folder = Path(path)
    kept = folder / KEPT.format(f"_{variant}" if variant else "")
    if kept.exists():
        matrices: Tensor = torch.load(kept, weights_only=True)
        return matrices
    network, info = load_model(folder / "model")
    if variant == "raw":
        state = torch.load(folder / "last.ckpt", map_location="cpu", weights_only=True)
        names = [name for name in state["state_dict"] if name.startswith("network.")]
        network.load_state_dict({n.removeprefix("network."): state["state_dict"][n] for n in names})
    elif variant:
        info = replace(info, model=replace(info.model, prediction=variant))
    frames = PairedFolder(data, "mfnet", f"fold{fold}_val")
    predictor = Predictor(network, info, "cpu")
    matrices = evaluate_predictor(predictor, frames).matrices
    torch.save(matrices, kept)
    return matrices


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipes", nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--folds", nargs="+", required=True)
    options = parser.parse_args()
    names = [
        name
        for fold in options.folds
        for name in (options.data / f"fold{fold}_val.txt").read_text().split()
    ]
    day = torch.tensor([name.endswith("D") for name in names])
    first: Tensor | None = None
    for recipe in options.recipes:
        seeds = [
            torch.cat([measure(p.format(k=k), options.data, k) for k in options.folds])
            for p in recipe.split("+")
        ]
        matrices = torch.stack(seeds)
        both = [
            sum(scores(m[rows].sum(0)).miou for m in matrices) / len(matrices)
            for rows in (torch.ones_like(day), day, ~day)
        ]
        low, high = bootstrap(matrices)
        iou = torch.stack([scores(m.sum(0)).iou for m in matrices]).mean(0)
        line = f"{recipe}: {100 * both[0]:.2f} ({100 * low:.2f} to {100 * high:.2f})"
        line += f", day {100 * both[1]:.2f}, night {100 * both[2]:.2f}"
        if first is not None:
            difference = [f"{100 * x:+.2f}" for x in paired_difference(matrices, first)]
            line += "; to the first {} ({} to {})".format(*difference)
        first = matrices if first is None else first
        print(line)
        print("  " + " ".join(f"{100 * x:.1f}" for x in iou.tolist()))


if __name__ == "__main__":
    main()
