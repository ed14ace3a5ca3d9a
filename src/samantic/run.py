"""Whole jobs: train a model into a run folder, evaluate a trained model on a split."""

from __future__ import annotations

import csv
import logging
import warnings
from pathlib import Path
from typing import Any

import lightning as L  # the name its documentation uses
import torch
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader

from samantic.callbacks import KeepRun, ProgressBar
from samantic.checkpoint import (
    ModelInfo,
    build_network,
    find_model,
    save_model,
    write_card,
)
from samantic.config import Config, Layout, TrainConfig, read_config, to_yaml
from samantic.data.augment import RandomCrop
from samantic.data.loading import Batch, eval_loader, train_loader
from samantic.data.pairs import PairedFolder
from samantic.errors import InputError
from samantic.evaluation import evaluate_predictor, metrics_json, table
from samantic.files import write_json, write_text
from samantic.metrics import scores
from samantic.models import SARTM
from samantic.predict import load
from samantic.report import write_report
from samantic.tasks import SegmentationTask


def train(
    config: Config, *, resume: bool = False, quiet: bool = False, line: int = 0
) -> dict[str, Any]:
    """Train, select on the validation split, evaluate the selected model on the test split.

    Writes the run folder `config.out`: config.yaml, model/, last.ckpt, logs/, metrics.json and
    report.html.

    Args:
        config: The run.
        resume: Continue from last.ckpt of the same folder.
        quiet: Print nothing but the progress bar.
        line: Line of the terminal for the bar, where several runs go on at once.

    Returns:
        The content of metrics.json.

    Raises:
        InputError: The data, the base or the folder cannot be used.
    """
    out, data = Path(config.out), config.data
    _claim(out, config, resume)
    L.seed_everything(config.train.seed, verbose=False)
    train_set, val_set, test_set = (
        PairedFolder(data.root, data.layout, split, classes=data.classes)
        for split in (data.train, data.val, data.test)
    )
    train_set.transform = RandomCrop(config.augment)
    info = ModelInfo(
        config.model, config.adapt, train_set.classes, train_set.palette, train_set.spec.title
    )
    network = build_network(info).train()
    if not quiet:
        print(describe(network, config, [train_set, val_set, test_set]))
    write_text(out / "config.yaml", to_yaml(config))
    balance = config.loss.class_balance
    task = SegmentationTask(network, config, train_set.class_weights(balance) if balance else None)
    trainer = _fit(
        task,
        config,
        train_loader(train_set, config.train.batch_size, data.workers),
        eval_loader(val_set, data.workers),
        [
            KeepRun(out, lambda: save_model(out / "model", network, info)),
            ProgressBar(f"train {out.name}", line),
        ],
        resume,
    )
    if not trainer.is_global_zero:  # the other processes of a distributed run are done here
        return {}
    return evaluate(
        out, data.root, data.layout, data.test, out=out, seed=config.train.seed, quiet=quiet
    )


def _claim(out: Path, config: Config, resume: bool) -> None:
    """Refuse to overwrite a finished run, and to resume what is not there or differs."""
    if not resume:
        if (out / "last.ckpt").exists():
            raise InputError(
                f"{out}: holds a run already; add --resume to continue it, or give another --out"
            )
        return
    if not (out / "last.ckpt").exists():
        raise InputError(f"{out}: no last.ckpt to resume from; train without --resume")
    before = read_config(out / "config.yaml")
    if (before.model, before.adapt) != (config.model, config.adapt):
        raise InputError(f"{out / 'config.yaml'}: describes another network; give another --out")


def _fit(
    task: SegmentationTask,
    config: Config,
    train_batches: DataLoader[Batch],
    val_batches: DataLoader[Batch],
    callbacks: list[L.Callback],
    resume: bool,
) -> L.Trainer:
    """Run the optimisation."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    out, options = Path(config.out), config.train
    steps = options.steps or options.epochs * len(train_batches)
    trainer = L.Trainer(
        max_steps=steps,
        val_check_interval=max(1, steps // options.validations),
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        precision=_precision(options),
        devices=options.devices,
        logger=CSVLogger(out, name="logs", version=_next_part(out), flush_logs_every_n_steps=10),
        log_every_n_steps=min(10, len(train_batches)),
        callbacks=callbacks,
        gradient_clip_val=options.clip,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    with warnings.catch_warnings():
        # Lightning's advice to start more loading workers does not know this machine's cores.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        # A resumed run shuffles the epoch it stopped in anew, which does no harm.
        warnings.filterwarnings("ignore", message=".*ended before the epoch ended.*")
        # Lightning 2.6 calls a torch function that torch 2.13 deprecates.
        warnings.filterwarnings("ignore", message=".*LeafSpec.* is deprecated")
        trainer.fit(
            task,
            train_batches,
            val_batches,
            ckpt_path=out / "last.ckpt" if resume else None,
            weights_only=True,
        )
    if trainer.interrupted:
        raise KeyboardInterrupt
    return trainer


def _precision(options: TrainConfig) -> Any:
    if options.precision != "auto":
        return options.precision
    return (
        "bf16-mixed" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "32-true"
    )


def _next_part(out: Path) -> str:
    """Each start or resume of a run logs into a part of its own; the logger deletes old files."""
    return f"part-{len(list((out / 'logs').glob('part-*')))}"


def read_history(out: Path) -> list[dict[str, float]]:
    """The logged figures of a run in order, over all of its parts; each row has a `step`.

    Where a part was resumed from an earlier step, its rows replace the ones after that step.
    """
    history: list[dict[str, float]] = []
    parts = sorted((out / "logs").glob("part-*/metrics.csv"), key=lambda p: int(p.parent.name[5:]))
    for part in parts:
        with part.open(newline="", encoding="utf-8") as file:
            rows = [
                {key: float(value) for key, value in row.items() if value}
                for row in csv.DictReader(file)
            ]
        if rows:
            history = [row for row in history if row["step"] < rows[0]["step"]] + rows
    return history


def evaluate(
    model: str | Path,
    root: str | Path,
    layout: Layout,
    split: str,
    *,
    out: Path | None = None,
    seed: int | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Measure a trained model on a labelled split; write metrics.json and report.html.

    Args:
        model: Run folder, model folder or hub id.
        root: Folder of the data set.
        layout: How files lie in it.
        split: Name of the split.
        out: Folder to write to; None means runs/evaluate/NAME-SPLIT.
        seed: Seed of the training, for the record.
        quiet: Print no table.

    Returns:
        The content of metrics.json.

    Raises:
        InputError: The model or the data cannot be used.
    """
    folder = find_model(model)
    predictor = load(folder)
    dataset = PairedFolder(root, layout, split, classes=predictor.info.classes)
    name = folder.parent.name if folder.name == "model" else folder.name
    out = out or Path("runs", "evaluate", f"{name}-{split}")
    evaluation = evaluate_predictor(predictor, dataset)
    metrics = metrics_json(evaluation, dataset, seed=seed)
    write_json(out / "metrics.json", metrics)
    if folder.parent == out:
        write_card(folder, predictor.info, metrics)
    write_report(out, predictor.info, metrics, evaluation, read_history(out))
    if not quiet:
        subsets = {key: scores(matrix) for key, matrix in evaluation.subsets.items()}
        print(f"\n{name} on {split} ({evaluation.total} pairs)")
        print(table(scores(evaluation.matrix), dataset.classes, subsets))
        print(f"report: {out / 'report.html'}")
    return metrics


def describe(network: SARTM, config: Config, splits: list[PairedFolder]) -> str:
    """What is about to be trained: the network and its parameters by part, data, resolution."""

    def count(module: torch.nn.Module, trainable: bool = False) -> int:
        return sum(p.numel() for p in module.parameters() if p.requires_grad or not trainable)

    lines = [
        f"{config.model.base}, adapt {config.adapt.method}, fusion {config.model.fusion}, "
        f"auxiliary {config.model.auxiliary}: {count(network) / 1e6:.3f} M parameters, "
        f"{count(network, True) / 1e6:.3f} M of them trained",
        "  "
        + ", ".join(
            f"{name} {count(part) / 1e6:.3f} M ({count(part, True) / 1e6:.3f} M trained)"
            for name, part in network.named_children()
        ),
        f"{config.data.root}: "
        + ", ".join(f"{part.split} {len(part)}" for part in splits)
        + f" pairs, crops of {config.augment.crop[0]}x{config.augment.crop[1]}",
    ]
    return "\n".join(lines)
