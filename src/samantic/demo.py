"""The demo on generated scenes: the shipped model, three trainings, and a report."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from samantic.config.augment import AugmentConfig
from samantic.config.data import DataConfig
from samantic.config.networks import AdaptConfig, Fusion, SartmConfig
from samantic.config.train import Config, TrainConfig
from samantic.data.pairs import PairedFolder
from samantic.errors import InputError
from samantic.measure.evaluation import evaluate_predictor
from samantic.measure.tables import in_columns, interval
from samantic.predict.folders import predict_files
from samantic.predict.info import read_info
from samantic.predict.model_folder import find_model
from samantic.predict.predictor import load
from samantic.provenance import check_folder, write_inputs
from samantic.report.pages import write_page
from samantic.report.pictures import side_by_side
from samantic.run.processes import training_processes
from samantic.run.train import train
from samantic.scenes.write import write_scenes

SIZE = (96, 128)
CAMERA = (480, 640)
"""Height and width of the scenes for the shipped model, as in its training."""

TRAIN, VAL, UNSEEN = 900, 32, 80
VARIANTS: dict[str, Fusion] = {"fused": "paper", "rgb": "rgb", "thermal": "thermal"}

SHOWN, TUNED = "shipped", "nano"
"""Folders of nano's predictions of scenes as shipped, and of nano after further training."""

MADE = {"by": "samantic demo"}
"""File that marks a folder whose content a demo may replace."""

TUNING = 0.2
"""Steps of nano's further training, as a share of those of a network from scratch."""


def demo(out: Path, *, seed: int, eval_seed: int, steps: int) -> dict[str, Any]:
    """Train RGB-thermal, RGB-only and thermal-only networks alike; compare them on unseen scenes.

    First, the shipped model predicts scenes of a camera's size into `out/shipped`. It is also
    trained further. Writes `out/data` (MFNet's layout), a run folder for each network,
    `out/predictions` and `out/report.html`, and prints a table. An older demo in `out` is replaced.

    Args:
        out: Folder of the demo.
        seed: Seed of the training scenes and of the weights.
        eval_seed: Seed of the unseen scenes; must differ from `seed`.
        steps: Optimiser steps of each network.

    Returns:
        The metrics of each network by its name.

    Raises:
        InputError: The seeds are equal, or `out` holds files that no demo has written.
    """
    if seed == eval_seed:
        raise InputError(
            f"demo: --seed and --eval-seed are both {seed}; unseen scenes need another"
        )
    parts = (*VARIANTS, TUNED, SHOWN, "data", "predictions")
    check_folder(out, MADE, "results", (*parts, "report.html"))
    write_inputs(out, MADE)
    for name in parts:
        shutil.rmtree(out / name, ignore_errors=True)
    _show_nano(out / SHOWN, eval_seed)
    data = out / "data"
    seen = {"train": range(TRAIN), "val": range(TRAIN, TRAIN + VAL)}
    write_scenes(data, "mfnet", seen, seed=seed, size=SIZE)
    write_scenes(data, "mfnet", {"test": range(UNSEEN)}, seed=eval_seed, size=SIZE)
    configs = [_config(out / name, data, fusion, seed, steps) for name, fusion in VARIANTS.items()]
    configs.append(_tuning(out / TUNED, configs[0], steps))
    results = dict(zip([*VARIANTS, TUNED], _train_together(configs), strict=True))
    unseen = PairedFolder(data, "mfnet", "test")
    predict_files(load(out / "fused"), unseen.files[:8], out / "predictions")
    _report(out, unseen, results)
    print(_table(results, eval_seed))
    print(f"report: {out / 'report.html'}")
    return results


def _show_nano(out: Path, seed: int) -> None:
    """Predict a few scenes of a camera's size with the shipped model."""
    write_scenes(out / "data", "mfnet", {"test": range(4)}, seed=seed, size=CAMERA)
    files = PairedFolder(out / "data", "mfnet", "test", labelled=False).files
    predict_files(load("nano"), files, out)
    print(f"nano, the model that ships, on generated scenes: {out / 'overlays'}")


def _train_together(configs: list[Config]) -> list[dict[str, Any]]:
    """Train in parallel, one process for each core; such small networks gain little from two."""
    context = training_processes()
    workers = min(len(configs), os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, context, tqdm.set_lock, (context.RLock(),)) as pool:
        return list(pool.map(_train, configs, range(len(configs))))


def _train(config: Config, line: int) -> dict[str, Any]:
    torch.set_num_threads(1)
    return train(config, quiet=True, line=line)


def _config(out: Path, data: Path, fusion: Fusion, seed: int, steps: int) -> Config:
    return Config(
        out=str(out),
        data=DataConfig(str(data), "mfnet", workers=0),
        model=SartmConfig("random-mini", fusion, prediction="mean"),
        adapt=AdaptConfig("full"),
        augment=AugmentConfig(
            crop=SIZE,
            scale=(1.0, 1.0),
            color=0.0,
            blur=0.0,
            thermal_gain=0.05,
            modality_dropout=0.0,
        ),
        train=TrainConfig(steps=steps, batch_size=4, learning_rate=3e-3, validations=5, seed=seed),
    )


def _tuning(out: Path, like: Config, steps: int) -> Config:
    """The configuration of the shipped model's further training on the same scenes."""
    train = replace(
        like.train, steps=max(1, round(TUNING * steps)), learning_rate=5e-4, start="nano"
    )
    return replace(like, out=str(out), model=read_info(find_model("nano")).model, train=train)


def _report(out: Path, unseen: PairedFolder, results: dict[str, Any]) -> None:
    """One page on all networks: their metrics and predictions side by side."""
    predictors = {name: load(out / name) for name in results}
    unseen.files = unseen.files[::7]  # the metrics are known; only pictures are needed
    frames = {name: evaluate_predictor(p, unseen).frames for name, p in predictors.items()}
    info = predictors["fused"].info
    columns = {}
    for name, metrics in results.items():
        columns[name] = metrics
        columns[f"{name}, night"] = metrics["per_subset"]["night"]
    write_page(
        out / "report.html",
        columns=columns,
        info=info,
        title="RGB and thermal together, and each alone",
        lead=f"{UNSEEN} generated scenes that no network has seen. Three were trained alike from "
        "scratch; nano, which ships with the package, was trained further.",
        panels=side_by_side(frames, info),
        figures=[],
        facts={"base": info.model.base, **results["fused"]["versions"]},
    )


def _table(results: dict[str, Any], eval_seed: int) -> str:
    lines = {
        f"mIoU % on {UNSEEN} unseen scenes (seed {eval_seed})": ["all", "95 %", "day", "night"]
    }
    for name, metrics in results.items():
        day, night = (metrics["per_subset"][subset]["miou"] for subset in ("day", "night"))
        means = [f"{100 * miou:.2f}" for miou in (metrics["miou"], day, night)]
        lines[name] = [means[0], interval(metrics["miou_interval"]), *means[1:]]
    return "\n".join(["", *in_columns(lines)])
