"""Train a model into a run folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L  # the name its documentation uses
import torch

from samantic.callbacks import KeepRun, KeepSimilarity, ProgressBar
from samantic.checkpoint import build_network, save_model, start_from
from samantic.config import Config, DataConfig
from samantic.config_files import read_config, to_yaml
from samantic.data.augment import RandomCrop
from samantic.data.camera import ALIGNED_8_BIT, Camera
from samantic.data.catalog import dataset_spec
from samantic.data.loading import Source, eval_loader
from samantic.data.pairs import PairedFolder
from samantic.distill.teacher import Teacher, load_teacher
from samantic.errors import InputError
from samantic.files import write_text
from samantic.losses import similarity
from samantic.model_info import ModelInfo
from samantic.models import Network
from samantic.models.text import TextVectors, class_vectors
from samantic.run.evaluate import Split, evaluate
from samantic.tasks import SegmentationTask
from samantic.trainer import fit


def train(
    config: Config,
    *,
    resume: bool = False,
    disturbances: Sequence[str] = (),
    quiet: bool = False,
    line: int = 0,
) -> dict[str, Any]:
    """Train, select on the validation split, evaluate the selected model on the test split.

    Writes the run folder `config.out`: config.yaml, model/, last.ckpt, logs/, metrics.json and
    report.html.

    Args:
        config: The run.
        resume: Continue from last.ckpt of the same folder.
        disturbances: Keys of `disturbances.SUITE`, under which the model is evaluated too.
        quiet: Print nothing but the progress bar.
        line: Line of the terminal for the bar, where several runs go on at once.

    Returns:
        The content of metrics.json; empty without a test split.

    Raises:
        InputError: The data, the base or the folder cannot be used.
    """
    out, data = Path(config.out), config.data
    _claim(out, config, resume)
    L.seed_everything(config.train.seed, verbose=False)
    splits = open_splits(data)
    train_set = splits["train"]
    _check_cameras(config, train_set)
    train_set.transform = RandomCrop(config.augment)
    text = class_vectors(config.text, train_set.classes) if config.text.source else None
    info = _info(config, train_set, text)
    network = build_network(info, trained=config.train.start is not None).train()
    if config.train.start is not None and not resume:
        start_from(network, info, config.train.start.format(seed=config.train.seed))
    if not quiet:
        print(describe(network, config, splits, info))
    write_text(out / "config.yaml", to_yaml(config))
    teacher = None if config.train.teacher is None else _teacher(config.train.teacher, train_set)
    balance = config.loss.class_balance
    weights = train_set.class_weights(balance) if balance else None
    callbacks: list[L.Callback] = [
        KeepRun(out, lambda: save_model(out / "model", network, info, text)),
        ProgressBar(f"train {out.name}", line),
    ]
    if text is not None:
        callbacks.append(KeepSimilarity(out, similarity(text.vectors, text.known)))
    trainer = fit(
        SegmentationTask(network, config, weights, text, teacher),
        out,
        config.train,
        Source(train_set, data.workers),
        eval_loader(splits["val"], data.workers) if "val" in splits else None,
        callbacks,
        resume,
    )
    if not trainer.is_global_zero or data.test is None:
        return {}  # the other processes of a distributed run are done, and so is one without a test
    options: Any = {"disturbances": disturbances, "seed": config.train.seed, "quiet": quiet}
    return evaluate(out, Split(data.root, dataset_spec(data), data.test), out=out, **options)


def _teacher(name_or_path: str, pairs: PairedFolder) -> Teacher:
    teacher = load_teacher(name_or_path)
    teacher.check_fits(pairs, f"train.teacher {name_or_path}")
    return teacher.requires_grad_(False)


def open_splits(
    data: DataConfig, *, camera: Camera = ALIGNED_8_BIT, labelled: bool = True
) -> dict[str, PairedFolder]:
    """The pairs to learn from, to select by and to report on, as far as there are such splits.

    Args:
        data: Where they are.
        camera: What `data` changes in it is changed.
        labelled: Whether the pairs to learn from have labels.
    """
    spec = dataset_spec(data)
    names = {"train": data.train, "val": data.val, "test": data.test}
    splits = {
        key: PairedFolder(data.root, spec, name, labelled=labelled or key != "train")
        for key, name in names.items()
        if name is not None
    }
    wanted = data.thermal_scaling
    if wanted == "dataset":
        wanted = str(splits["train"].estimate_scaling())
    for part in splits.values():
        part.camera = camera.changed(wanted, data.rig)
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


def claim(out: Path, resume: bool) -> None:
    """Refuse to overwrite a run, and to resume what is not there.

    Raises:
        InputError: It is so.
    """
    there = (out / "last.ckpt").exists()
    if there and not resume:
        raise InputError(
            f"{out}: holds a run already; add --resume to continue it, or give another --out"
        )
    if resume and not there:
        raise InputError(f"{out}: no last.ckpt to resume from; start without --resume")


def _claim(out: Path, config: Config, resume: bool) -> None:
    """Refuse to overwrite a run, and to resume what is not there or differs."""
    claim(out, resume)
    if resume:
        before = read_config(out / "config.yaml")
        if (before.model, before.adapt) != (config.model, config.adapt):
            raise InputError(
                f"{out / 'config.yaml'}: describes another network; give another --out"
            )


def _check_cameras(config: Config, pairs: PairedFolder) -> None:
    """Refuse a network that reads thermal images where there are none."""
    if "thermal" not in pairs.spec.modalities and config.model.fusion != "rgb":
        raise InputError(
            f"{pairs.root}: has no thermal images, which fusion {config.model.fusion} reads; set "
            "model.fusion to rgb, or give data.thermal"
        )


def describe(
    network: Network, config: Config, splits: dict[str, PairedFolder], info: ModelInfo
) -> str:
    """What is about to be trained: the network and its parameters by part, data, resolution."""
    size = f"crops of {config.augment.crop[0]}x{config.augment.crop[1]}"
    lines = [describe_network(network, info), describe_data(splits, size)]
    if info.language is not None:
        without = [n for n, term in zip(info.classes, info.terms, strict=True) if term is None]
        lines.append(
            f"class names from {info.language}, without a vector: {', '.join(without) or 'none'}"
        )
    return "\n".join(lines)


def describe_network(network: Network, info: ModelInfo) -> str:
    """A network's options, and its parameters by part."""

    def count(module: torch.nn.Module, trainable: bool = False) -> int:
        return sum(p.numel() for p in module.parameters() if p.requires_grad or not trainable)

    model = info.model
    parts = ", ".join(
        f"{name} {count(part) / 1e6:.3f} M ({count(part, True) / 1e6:.3f} M trained)"
        for name, part in network.named_children()
    )
    return (
        f"{model.network} on {model.base}, adapt {info.adapt.method}, fusion {model.fusion}, "
        f"auxiliary {model.auxiliary}: {count(network) / 1e6:.3f} M parameters, "
        f"{count(network, True) / 1e6:.3f} M of them trained\n  {parts}"
    )


def describe_data(splits: dict[str, PairedFolder], size: str) -> str:
    """The pairs of each split, and in which size they are learnt."""
    counts = ", ".join(f"{part.split} {len(part)}" for part in splits.values())
    return f"{splits['train'].root}: {counts} pairs, {size}"
