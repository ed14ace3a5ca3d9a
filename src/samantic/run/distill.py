"""Distil a teacher and the masks of a SAM into a compact student, without labels (GoodSAM)."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import lightning as L  # L is the name that Lightning's documentation uses

from samantic.config.distill import DistillConfig
from samantic.config.read import to_yaml
from samantic.data.cards.catalog import dataset_spec
from samantic.data.loading import Source, eval_loader
from samantic.data.pairs import PairedFolder
from samantic.distill.data import Lessons, collate_lessons
from samantic.distill.ensemble import Ensemble, KeptMasks, KeptTargets, keep_masks, sam_weights
from samantic.distill.task import DistillTask
from samantic.distill.teacher import Teacher, load_teacher
from samantic.files import holds_json, write_json, write_text
from samantic.learn.callbacks import KeepRun, ProgressBar
from samantic.learn.fit import fit
from samantic.learn.loggers import check_loggers, panels
from samantic.models import Network
from samantic.models.build import build
from samantic.models.devices import choose_device
from samantic.predict.info import ModelInfo
from samantic.predict.model_folder import (
    check_start,
    find_model,
    fingerprint,
    load_model,
    save_model,
    start_from,
)
from samantic.provenance import digest
from samantic.run.data import open_splits
from samantic.run.describe import describe_data, describe_network, size_of
from samantic.run.domain import store_confidence
from samantic.run.ensemble import compare_with_teacher, distillation_table, write_lessons
from samantic.run.evaluate import evaluate
from samantic.run.folder import check_config, claim, data_inputs, keep_inputs
from samantic.run.lock import locked
from samantic.run.split import Split
from samantic.run.student import check_student, student_info, taken_over
from samantic.strings import of_seed

TEACHER = "teacher"
"""Folder in the run folder for the model of a teacher that was trained too."""

TARGETS = "targets"
"""Folder in the run folder for the targets of a frozen teacher; removed at the end of the run."""


def distill(
    config: DistillConfig,
    *,
    resume: bool = False,
    disturbances: Sequence[str] = (),
    quiet: bool = False,
    line: int = 0,
) -> dict[str, Any]:
    """Train a student on unlabelled images, and measure it where there are labels.

    Writes the run folder `config.out` as `train` does. A validation split selects the student;
    without one the last state is kept. On a test split, teacher and ensemble are measured too.
    Without a test split, report.html shows the student's training targets. A teacher that was
    trained too is saved in `teacher/`.

    Args:
        config: The run.
        resume: Continue from last.ckpt of the same folder.
        disturbances: Keys of `disturbances.SUITE`; the student is also evaluated under each of
            them.
        quiet: Print only progress bars.
        line: Line of the terminal for the training's bar, where several runs share the terminal.

    Returns:
        The content of metrics.json; empty without a test split.

    Raises:
        InputError: The data, the teacher, the masks or the folder cannot be used.
    """
    with locked(Path(config.out)):
        job = _prepare(config, resume, quiet)
        if not quiet:
            print(describe_network(job.student, job.info))
            print(describe_data(job.splits, size_of(config.augment.crop)))
        if not _fit(job, resume, line):
            return {}  # a distributed run continues in its first process only
        store_confidence(job.out, job.splits)
        return _finish(job, disturbances, quiet)


class _Job(NamedTuple):
    """The parts of a distillation; `masks` are those of the training and test splits."""

    config: DistillConfig
    splits: dict[str, PairedFolder]
    masks: dict[str, KeptMasks]
    teacher: Teacher
    student: Network
    info: ModelInfo

    @property
    def out(self) -> Path:
        return Path(self.config.out)

    @property
    def joint(self) -> bool:
        return self.config.teacher.update == "joint"


def _prepare(config: DistillConfig, resume: bool, quiet: bool) -> _Job:
    """Load and check everything, and find the masks."""
    out = Path(config.out)
    check_loggers(config.train)
    claim(out, resume)
    L.seed_everything(config.train.seed, verbose=False)
    teacher = load_teacher(config.teacher.model)
    config = replace(config, data=taken_over(config.data, teacher.info))
    if resume:
        check_config(out, config)
    splits = open_splits(config.data, camera=teacher.info.camera, labelled=False)
    info = student_info(config, splits["train"])
    start = None
    if config.train.start is not None and not resume:
        start = of_seed(config.train.start, config.train.seed)
        check_start(info, start)
    student = build(
        info.model, info.adapt, len(info.classes), trained=config.train.start is not None
    ).train()
    check_student(config, splits["train"], teacher, student)
    if config.teacher.update == "joint":
        teacher.learn(splits["train"].spec.modalities)
    masks = {key: keep_masks(config, part) for key, part in splits.items() if key != "val"}
    inputs = data_inputs(splits) | {
        "teacher": {"teacher.model": teacher.fingerprint()},
        "masks": {"masks": masks["train"].digest},
    }
    if weights := sam_weights(config.masks):
        inputs["sam"] = {"masks.base": digest(weights)}
    if start is not None:
        inputs["start"] = {"train.start": fingerprint(find_model(start))}
    keep_inputs(out, inputs, resume)
    started = "" if start is None else start_from(student, info, start)
    if started and not quiet:
        print(started)
    write_text(out / "config.yaml", to_yaml(config))
    return _Job(config, splits, masks, teacher, student, info)


def _fit(job: _Job, resume: bool, line: int) -> bool:
    """Train; return whether this process continues with the evaluation."""
    config, workers = job.config, job.config.data.workers
    known: Callable[..., Any] = job.masks["train"]
    if not job.joint:
        known = _keep_targets(job)

    lessons = Lessons(job.splits["train"], known, config.augment)

    def keep() -> None:
        save_model(job.out / "model", job.student, job.info)
        if job.joint:
            save_model(job.out / TEACHER, job.teacher.network, job.teacher.info)

    guide = job.teacher if config.loss.features else None
    trainer = fit(
        DistillTask(job.student, config, job.teacher if job.joint else None, guide),
        job.out,
        config.train,
        Source(lessons, workers, collate_lessons),
        eval_loader(job.splits["val"], workers) if "val" in job.splits else None,
        [
            KeepRun(job.out, keep),
            ProgressBar(f"distill {job.out.name}", line),
            *panels(config.train, job.info.classes),
        ],
        resume,
    )
    return trainer.is_global_zero


def _finish(job: _Job, disturbances: Sequence[str], quiet: bool) -> dict[str, Any]:
    """Evaluate student and teacher; without a test split, show the student's training targets."""
    config, data = job.config, job.config.data
    shutil.rmtree(job.out / TARGETS, ignore_errors=True)  # a resumed run computes them again
    teacher = Teacher(*load_model(job.out / TEACHER)) if job.joint else job.teacher
    masks = job.masks["train" if data.test is None else "test"]
    ensemble = Ensemble(teacher, masks, config.loss, choose_device())
    if data.test is None:
        write_lessons(job.out, job.info, ensemble, job.splits["train"])
        if not quiet:
            print(f"report: {job.out / 'report.html'}")
        return {}
    metrics = evaluate(
        job.out,
        Split(data.root, dataset_spec(data), data.test, panorama=config.window is not None or None),
        out=job.out,
        disturbances=disturbances,
        seed=config.train.seed,
        quiet=quiet,
        companions=partial(compare_with_teacher, ensemble, job.info),
    )
    if not quiet:
        print(f"\n{distillation_table(metrics)}")
    return metrics


def _keep_targets(job: _Job) -> KeptTargets:
    """The targets of a frozen teacher, computed once.

    They lie in the run folder or in a folder that runs share. In the run folder, targets computed
    with other options are removed; in the shared folder, they keep their own subfolder.
    """
    config, masks = job.config, job.masks["train"]
    made = _made(job)
    if config.masks.cache is None:
        folder = job.out / TARGETS
        about = folder / "about.json"
        if not holds_json(about, made):
            shutil.rmtree(folder, ignore_errors=True)
            write_json(about, made)
    else:
        folder = Path(config.masks.cache) / f"{TARGETS}-{digest(made)[:10]}"
    ensemble = Ensemble(job.teacher, masks, config.loss, choose_device())
    return ensemble.keep_targets(job.splits["train"], folder)


def _made(job: _Job) -> dict[str, Any]:
    """All settings, besides images and masks, on which the targets depend; values fit JSON."""
    loss, teacher = asdict(job.config.loss), job.teacher.info
    return {
        "classes": job.info.classes,
        "camera": job.info.camera.stored(),
        "loss": {key: loss[key] for key in ("targets", "cover", "smallest", "distance")},
        "teacher": [job.teacher.fingerprint(), teacher.model.prediction, teacher.eval_size],
        "window": job.config.window,
    }
