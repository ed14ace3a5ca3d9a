"""Whole jobs: train a model into a run folder, evaluate a trained model on a split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L  # the name its documentation uses
import torch

from samantic.callbacks import KeepRun, KeepSimilarity, ProgressBar, read_history, read_similarity
from samantic.checkpoint import (
    ModelInfo,
    build_network,
    find_model,
    read_text,
    save_model,
    start_from,
    write_card,
)
from samantic.config import Config, Layout
from samantic.config_files import read_config, to_yaml
from samantic.data.augment import RandomCrop
from samantic.data.catalog import DatasetSpec, dataset_spec
from samantic.data.loading import eval_loader, train_loader
from samantic.data.pairs import PairedFolder
from samantic.errors import InputError
from samantic.evaluation import (
    Evaluation,
    evaluate_predictor,
    metrics_json,
    table,
    write_confusion,
)
from samantic.files import write_json, write_text
from samantic.losses import similarity
from samantic.metrics import scores
from samantic.models import SARTM
from samantic.models.text import TextVectors, class_vectors
from samantic.predict import Predictor, load
from samantic.report import write_report
from samantic.tasks import SegmentationTask
from samantic.trainer import fit


def train(
    config: Config,
    *,
    resume: bool = False,
    robustness: bool = False,
    quiet: bool = False,
    line: int = 0,
) -> dict[str, Any]:
    """Train, select on the validation split, evaluate the selected model on the test split.

    Writes the run folder `config.out`: config.yaml, model/, last.ckpt, logs/, metrics.json and
    report.html.

    Args:
        config: The run.
        resume: Continue from last.ckpt of the same folder.
        robustness: Evaluate without RGB and without thermal too.
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
    splits = _splits(config)
    train_set, val_set, _ = splits
    text = class_vectors(config.text, train_set.classes) if config.text.source else None
    info = _info(config, train_set, text)
    network = build_network(info).train()
    if config.train.start is not None and not resume:
        start_from(network, info, config.train.start.format(seed=config.train.seed))
    if not quiet:
        print(describe(network, config, splits, info))
    write_text(out / "config.yaml", to_yaml(config))
    balance = config.loss.class_balance
    weights = train_set.class_weights(balance) if balance else None
    callbacks: list[L.Callback] = [
        KeepRun(out, lambda: save_model(out / "model", network, info, text)),
        ProgressBar(f"train {out.name}", line),
    ]
    if text is not None:
        callbacks.append(KeepSimilarity(out, similarity(text.vectors, text.known)))
    trainer = fit(
        SegmentationTask(network, config, weights, text),
        out,
        config.train,
        train_loader(train_set, config.train.batch_size, data.workers),
        eval_loader(val_set, data.workers),
        callbacks,
        resume,
    )
    if not trainer.is_global_zero:  # the other processes of a distributed run are done here
        return {}
    options: Any = {"robustness": robustness, "seed": config.train.seed, "quiet": quiet}
    return evaluate(out, data.root, dataset_spec(data), data.test, out=out, **options)


def _splits(config: Config) -> list[PairedFolder]:
    """The pairs to learn from, with their augmentation, to select by and to report on."""
    data = config.data
    spec = dataset_spec(data)
    splits = [PairedFolder(data.root, spec, split) for split in (data.train, data.val, data.test)]
    wanted = data.thermal_scaling
    if wanted == "dataset":
        wanted = str(splits[0].estimate_scaling())
    for part in splits:
        part.camera = part.camera.changed(wanted, data.rig)
    splits[0].transform = RandomCrop(config.augment)
    return splits


def _info(config: Config, dataset: PairedFolder, text: TextVectors | None) -> ModelInfo:
    return ModelInfo(
        config.model,
        config.adapt,
        dataset.classes,
        dataset.palette,
        dataset.spec.title,
        None if text is None else text.source,
        () if text is None else text.terms,
        dataset.camera,
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


def evaluate(
    model: str | Path,
    root: str | Path,
    layout: Layout | DatasetSpec,
    split: str,
    *,
    out: Path | None = None,
    robustness: bool = False,
    thermal_scaling: str | None = None,
    rig: str | None = None,
    seed: int | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Measure a trained model on a labelled split.

    Writes metrics.json, confusion.npz and report.html.

    Args:
        model: Run folder, model folder or hub id.
        root: Folder of the data set.
        layout: How files lie in it, or its data card.
        split: Name of the split.
        out: Folder to write to; None means runs/evaluate/NAME-SPLIT.
        robustness: Measure it without RGB and without thermal too.
        thermal_scaling: Where thermal values come in another unit than in training: 8-bit, frame
            or LOW,HIGH.
        rig: Where the cameras stand otherwise than in training: resize, or a calibration file.
        seed: Seed of the training, for the record.
        quiet: Print no table.

    Returns:
        The content of metrics.json.

    Raises:
        InputError: The model or the data cannot be used.
    """
    folder = find_model(model)
    predictor = load(folder, thermal_scaling=thermal_scaling, rig=rig)
    classes, camera = predictor.info.classes, predictor.camera
    dataset = PairedFolder(root, layout, split, classes=classes, camera=camera)
    name = folder.parent.name if folder.name == "model" else folder.name
    out = out or Path("runs", "evaluate", f"{name}-{split}")
    text = read_text(folder, predictor.info)
    evaluation = evaluate_predictor(predictor, dataset, features=text is not None)
    disturbed = _without_a_modality(predictor, dataset) if robustness else None
    metrics = metrics_json(evaluation, dataset, seed=seed, text=text, robustness=disturbed)
    write_confusion(out / "confusion.npz", evaluation)
    if folder.parent == out:
        write_card(folder, predictor.info, metrics)
    history, matrices = read_history(out), read_similarity(out / "similarity.npz")
    write_report(out, predictor.info, metrics, evaluation, history, matrices)
    write_json(out / "metrics.json", metrics)  # last of all: a run that has it is complete
    if not quiet:
        parts = evaluation.by_subset()
        parts |= {key: part.matrix for key, part in (disturbed or {}).items()}
        columns = {key: scores(matrix) for key, matrix in parts.items()}
        print(f"\n{name} on {split} ({len(evaluation.names)} pairs)")
        print(table(scores(evaluation.matrix), dataset.classes, columns))
        print(f"report: {out / 'report.html'}")
    return metrics


def _without_a_modality(predictor: Predictor, dataset: PairedFolder) -> dict[str, Evaluation]:
    """Evaluate without RGB and without thermal, where the model reads both."""
    modalities = predictor.network.modalities
    if len(modalities) == 1:
        return {}
    return {
        f"{missing} missing": evaluate_predictor(predictor, dataset, missing=missing, pictures=0)
        for missing in ("rgb", "thermal")
    }


def describe(network: SARTM, config: Config, splits: list[PairedFolder], info: ModelInfo) -> str:
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
    if info.language is not None:
        without = [n for n, term in zip(info.classes, info.terms, strict=True) if term is None]
        lines.append(
            f"class names from {info.language}, without a vector: {', '.join(without) or 'none'}"
        )
    return "\n".join(lines)
