"""Train a model into a run folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import lightning as L  # L is the name that Lightning's documentation uses
from torch.utils.data import Dataset

from samantic.config.augment import AugmentConfig
from samantic.config.read import to_yaml
from samantic.config.train import Config
from samantic.data.cards.catalog import dataset_spec
from samantic.data.crop import RandomCrop
from samantic.data.loading import Source, eval_loader
from samantic.data.pairs import PairedFolder
from samantic.data.rare import Balanced
from samantic.data.samples import Sample
from samantic.distill.teacher import Teacher, load_teacher
from samantic.errors import InputError
from samantic.files import write_text
from samantic.learn.callbacks import KeepRun, KeepSimilarity, ProgressBar
from samantic.learn.fit import fit
from samantic.learn.loggers import check_loggers, panels
from samantic.learn.task import SegmentationTask
from samantic.losses import similarity
from samantic.models import Network
from samantic.models.build import build
from samantic.models.network import MODALITIES
from samantic.models.text import TextVectors, class_vectors
from samantic.predict.info import ModelInfo
from samantic.predict.model_folder import (
    base_fingerprint,
    check_start,
    find_model,
    fingerprint,
    save_model,
    start_from,
    tensors_fingerprint,
)
from samantic.progress import tell
from samantic.run.data import open_splits
from samantic.run.describe import describe
from samantic.run.domain import store_confidence
from samantic.run.evaluate import evaluate
from samantic.run.folder import Inputs, check_config, claim, data_inputs, keep_inputs
from samantic.run.lock import locked
from samantic.run.split import Split
from samantic.strings import of_seed


def train(
    config: Config,
    *,
    resume: bool = False,
    disturbances: Sequence[str] = (),
    quiet: bool = False,
    line: int = 0,
) -> dict[str, Any]:
    """Train, select on the validation split, and evaluate the selected model on the test split.

    Writes the run folder `config.out`: config.yaml, model/, last.ckpt, logs/, metrics.json and
    report.html.

    Args:
        config: The run.
        resume: Continue from last.ckpt of the same folder.
        disturbances: Keys of `disturbances.SUITE`; the model is also evaluated under each of them.
        quiet: Print only the progress bar.
        line: Line of the terminal for the bar, where several runs share the terminal.

    Returns:
        The content of metrics.json; empty without a test split.

    Raises:
        InputError: The data, the base or the folder cannot be used.
    """
    data = config.data
    with locked(Path(config.out)):
        job = prepare(config, resume, quiet)
        if not _fit(job, resume, line):
            return {}  # a distributed run continues in its first process only
        store_confidence(job.out, job.splits)
        if data.test is None:
            return {}
        split = Split(data.root, dataset_spec(data), data.test)
        options: Any = {"disturbances": disturbances, "seed": config.train.seed, "quiet": quiet}
        return evaluate(job.out, split, out=job.out, **options)


class Job(NamedTuple):
    """The parts of a training."""

    config: Config
    splits: dict[str, PairedFolder]
    network: Network
    info: ModelInfo
    text: TextVectors | None
    teacher: Teacher | None

    @property
    def out(self) -> Path:
        return Path(self.config.out)


def prepare(config: Config, resume: bool, quiet: bool, dry: bool = False) -> Job:
    """Load, check and describe everything; with `dry`, write nothing."""
    out, options = Path(config.out), config.train
    check_loggers(options)
    if not dry:
        claim(out, resume)
    if resume:
        check_config(out, config)
    L.seed_everything(options.seed, verbose=False)
    splits = open_splits(config.data)
    pairs = splits["train"]
    _check_cameras(config, pairs)
    text = class_vectors(config.text, pairs.classes) if config.text.source else None
    info = _info(config, pairs, text)
    start = None
    if options.start is not None and not resume:
        start = of_seed(options.start, options.seed)
        check_start(info, start)
    network = build(
        info.model, info.adapt, len(info.classes), trained=options.start is not None
    ).train()
    for line in _idle(config, pairs, network):
        tell(line)
    teacher = None if options.teacher is None else _teacher(options.teacher, pairs)
    if not dry:
        keep_inputs(out, data_inputs(splits) | _other_inputs(network, start, teacher, text), resume)
    started = "" if start is None else start_from(network, info, start)
    if not quiet:
        print("\n".join(filter(None, [describe(network, config, splits, info), started])))
    if not dry:
        write_text(out / "config.yaml", to_yaml(config))
    return Job(config, splits, network, info, text, teacher)


def lessons(job: Job) -> tuple[SegmentationTask, Source]:
    """The optimised task, and the data that it is trained on."""
    config, pairs = job.config, job.splits["train"]
    balance = config.loss.class_balance
    weights = pairs.class_weights(balance) if balance else None
    task = SegmentationTask(job.network, config, weights, job.text, job.teacher)
    return task, Source(_examples(pairs, config.augment), config.data.workers)


def _fit(job: Job, resume: bool, line: int) -> bool:
    """Train; return whether this process continues with the evaluation."""
    config, out, text = job.config, job.out, job.text
    callbacks: list[L.Callback] = [
        KeepRun(out, lambda: save_model(out / "model", job.network, job.info, text)),
        ProgressBar(f"train {out.name}", line),
        *panels(config.train, job.info.classes),
    ]
    if text is not None:
        callbacks.append(KeepSimilarity(out, similarity(text.vectors, text.known)))
    task, source = lessons(job)
    val = eval_loader(job.splits["val"], source.workers) if "val" in job.splits else None
    trainer = fit(task, out, config.train, source, val, callbacks, resume)
    return trainer.is_global_zero


def _examples(pairs: PairedFolder, augment: AugmentConfig) -> Dataset[Sample]:
    """The training crops."""
    if augment.rare or augment.paste:
        return Balanced(pairs, augment)
    pairs.transform = RandomCrop(augment)
    return pairs


def _other_inputs(
    network: Network, start: str | None, teacher: Teacher | None, text: TextVectors | None
) -> Inputs:
    """The inputs of a run besides its data."""
    found: Inputs = {}
    if (base := base_fingerprint(network)) is not None:
        found["base"] = {"model.base": base}
    if start is not None:
        found["start"] = {"train.start": fingerprint(find_model(start))}
    if teacher is not None:
        found["teacher"] = {"train.teacher": teacher.fingerprint()}
    if text is not None:
        vectors = {"vectors": text.vectors, "known": text.known}
        found["text"] = {"text.source": tensors_fingerprint(vectors)}
    return found


def _teacher(name_or_path: str, pairs: PairedFolder) -> Teacher:
    teacher = load_teacher(name_or_path)
    teacher.check_fits(pairs, f"train.teacher {name_or_path}")
    learnt, here = (str(camera.scaling) for camera in (teacher.info.camera, pairs.camera))
    both = set(teacher.network.modalities) & set(pairs.spec.modalities)
    if "thermal" in both and learnt != here:
        tell(
            f"train.teacher {name_or_path}: learnt from thermal scaled as {learnt}, and sees it "
            f"scaled as {here} here; unless both look alike, set data.thermal_scaling {learnt}"
        )
    return teacher.requires_grad_(False)


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
        eval_size=config.data.eval_size,
        view=config.augment.crop,
        projection=dataset.spec.projection or "perspective",
    )


def _idle(config: Config, pairs: PairedFolder, network: Network) -> Iterator[str]:
    """A line on each option that changes nothing in this run."""
    model = config.model
    if model.prediction not in network.heads:
        yield (
            f"model.prediction {model.prediction}: there is no auxiliary head (model.auxiliary "
            f"{model.auxiliary}), so the mask head answers"
        )
    if config.loss.cross_modal and len(network.modalities) < len(MODALITIES):
        yield f"loss.cross_modal: does nothing, since fusion {model.fusion} reads one camera"
    cameras = config.data.thermal_inverted, config.data.rig, config.data.thermal_scaling != "8-bit"
    if "thermal" not in pairs.spec.modalities and any(cameras):
        yield (
            f"{pairs.root}: has no thermal images, so data.thermal_scaling, data.thermal_inverted "
            "and data.rig do nothing; give data.thermal if there are some"
        )


def _check_cameras(config: Config, pairs: PairedFolder) -> None:
    """Refuse a network that reads thermal images where there are none."""
    if "thermal" not in pairs.spec.modalities and config.model.fusion != "rgb":
        raise InputError(
            f"{pairs.root}: has no thermal images, which fusion {config.model.fusion} reads; set "
            "model.fusion to rgb, or give data.thermal"
        )
