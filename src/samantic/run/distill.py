"""Distil a teacher and a SAM's masks into a compact student, without labels (GoodSAM)."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L  # the name its documentation uses

from samantic.callbacks import KeepRun, ProgressBar
from samantic.checkpoint import ModelInfo, build_network, load_model, save_model, start_from
from samantic.config import AdaptConfig, DataConfig
from samantic.config_files import read_distill_config, to_yaml
from samantic.data.catalog import CATALOG, dataset_spec
from samantic.data.loading import eval_loader
from samantic.data.pairs import PairedFolder
from samantic.distill.data import Lessons, image_width, lesson_loader
from samantic.distill.ensemble import Ensemble, KeptMasks, KeptTargets, keep_masks
from samantic.distill.targets import plan_windows
from samantic.distill.task import DistillTask
from samantic.distill.teacher import Teacher, load_teacher
from samantic.distill_config import DistillConfig
from samantic.errors import InputError
from samantic.files import read_json, write_json, write_text
from samantic.models import Network
from samantic.predict import choose_device
from samantic.run.ensemble import compare_with_teacher, distillation_table, write_lessons
from samantic.run.evaluate import Split, evaluate
from samantic.run.train import claim, describe_data, describe_network, open_splits
from samantic.trainer import fit

TEACHER = "teacher"
"""Folder in the run folder for the model of a teacher that has learnt."""


def distill(
    config: DistillConfig,
    *,
    resume: bool = False,
    disturbances: Sequence[str] = (),
    quiet: bool = False,
    line: int = 0,
) -> dict[str, Any]:
    """Train a student on unlabelled images, and measure it where there are labels.

    Writes the run folder `config.out` as `train` does. A validation split selects the student, else
    the last state is kept. On a test split teacher and ensemble are measured beside it; without one
    report.html shows what the student learnt from. The model of a teacher that has learnt stands in
    `teacher/`.

    Args:
        config: The run.
        resume: Continue from last.ckpt of the same folder.
        disturbances: Keys of `disturbances.SUITE`, under which the student is evaluated too.
        quiet: Print nothing but progress bars.
        line: Line of the terminal for the training's bar, where several runs go on at once.

    Returns:
        The content of metrics.json; empty without a test split.

    Raises:
        InputError: The data, the teacher, the masks or the folder cannot be used.
    """
    out = Path(config.out)
    _claim(out, config, resume)
    L.seed_everything(config.train.seed, verbose=False)
    teacher = load_teacher(config.teacher.model)
    config = replace(config, data=_data(config.data, teacher.info))
    splits = open_splits(config.data, camera=teacher.info.camera, labelled=False)
    info = _info(config, splits["train"])
    student = build_network(info).train()
    _check(config, splits["train"], teacher, student)
    if config.train.start is not None and not resume:
        start_from(student, info, config.train.start.format(seed=config.train.seed))
    if not quiet:
        print(describe_network(student, info))
        print(describe_data(splits, "whole images"))
    write_text(out / "config.yaml", to_yaml(config))
    masks = {key: keep_masks(config, key, part) for key, part in splits.items() if key != "val"}
    if not _fit(config, student, teacher, info, splits, masks["train"], resume, line):
        return {}  # the other processes of a distributed run are done here
    return _finish(config, teacher, info, splits, masks, disturbances, quiet)


def _fit(
    config: DistillConfig,
    student: Network,
    teacher: Teacher,
    info: ModelInfo,
    splits: dict[str, PairedFolder],
    masks: KeptMasks,
    resume: bool,
    line: int,
) -> bool:
    """Train; return whether this is the process that goes on."""
    out, workers = Path(config.out), config.data.workers
    joint = config.teacher.update == "joint"
    known: Callable[..., Any] = masks
    if not joint:
        ensemble = Ensemble(teacher, masks, config.loss, choose_device())
        known = _keep_targets(config, ensemble, splits["train"])

    def keep() -> None:
        save_model(out / "model", student, info)
        if joint:
            save_model(out / TEACHER, teacher.network, teacher.info)

    task = DistillTask(student, config, teacher if joint else None)
    trainer = fit(
        task,
        out,
        config.train,
        lesson_loader(Lessons(splits["train"], known), config.train.batch_size, workers),
        eval_loader(splits["val"], workers) if "val" in splits else None,
        [KeepRun(out, keep), ProgressBar(f"distill {out.name}", line)],
        resume,
    )
    return trainer.is_global_zero


def _finish(
    config: DistillConfig,
    teacher: Teacher,
    info: ModelInfo,
    splits: dict[str, PairedFolder],
    masks: dict[str, KeptMasks],
    disturbances: Sequence[str],
    quiet: bool,
) -> dict[str, Any]:
    """Evaluate the student beside its teacher; without a test split, show what it learnt from."""
    out, data = Path(config.out), config.data
    shutil.rmtree(_targets_folder(out), ignore_errors=True)  # made anew if the run is resumed
    if config.teacher.update == "joint":
        teacher = Teacher(*load_model(out / TEACHER))
    shown = "test" if "test" in splits else "train"
    ensemble = Ensemble(teacher, masks[shown], config.loss, choose_device())
    if data.test is None:
        write_lessons(out, info, ensemble, splits["train"])
        if not quiet:
            print(f"report: {out / 'report.html'}")
        return {}
    metrics = evaluate(
        out,
        Split(data.root, dataset_spec(data), data.test, panorama=config.window is not None),
        out=out,
        disturbances=disturbances,
        seed=config.train.seed,
        quiet=quiet,
        beside=partial(compare_with_teacher, ensemble, info),
    )
    if not quiet:
        print(f"\n{distillation_table(metrics)}")
    return metrics


def _claim(out: Path, config: DistillConfig, resume: bool) -> None:
    """Refuse to overwrite a run, and to resume what is not there or learns something else."""
    claim(out, resume)
    if not resume:
        return
    before = read_distill_config(out / "config.yaml")
    for key in ("teacher", "student", "window", "masks", "loss"):
        if getattr(before, key) != getattr(config, key):
            raise InputError(f"{out / 'config.yaml'}: has another {key}; give another --out")


def _data(data: DataConfig, teacher: ModelInfo) -> DataConfig:
    """What the data's options leave to the teacher: class names, and how thermal is scaled."""
    if data.classes is None and not CATALOG[data.layout].classes:
        data = replace(data, classes=list(teacher.classes))
    if data.thermal_scaling == "teacher":
        data = replace(data, thermal_scaling=str(teacher.camera.scaling))
    return data


def _check(config: DistillConfig, pairs: PairedFolder, teacher: Teacher, student: Network) -> None:
    """Refuse a teacher of other classes, images that a network cannot read, and wide windows."""
    if pairs.classes != teacher.info.classes:
        raise InputError(
            f"teacher.model {config.teacher.model}: knows {', '.join(teacher.info.classes)}, but "
            f"the classes of {pairs.root} are {', '.join(pairs.classes)}; take a teacher of these "
            "classes"
        )
    there = pairs.spec.modalities
    if not set(there) & set(teacher.network.modalities):
        wanted = " or ".join(teacher.network.modalities)
        raise InputError(
            f"teacher.model {config.teacher.model}: reads {wanted}, and {pairs.root} has none"
        )
    for name in student.modalities:
        if name not in there:
            raise InputError(
                f"student.fusion {config.student.fusion}: reads {name}, and {pairs.root} has none; "
                f"set student.fusion {there[0]}"
            )
    plan_windows(config.window, image_width(pairs[0]))


def _info(config: DistillConfig, pairs: PairedFolder) -> ModelInfo:
    learns = "which learnt from the ensemble too" if config.teacher.update == "joint" else "frozen"
    source = config.masks.source
    masks = {
        "sam": f"masks of SAM2 `{config.masks.base}`",
        "files": "masks from files",
        "instances": "generated instance masks",
        "none": "no masks",
    }[source]
    return ModelInfo(
        config.student.model,
        AdaptConfig("full"),
        pairs.classes,
        pairs.palette,
        pairs.spec.title,
        camera=pairs.camera,
        origin="Distilled without labels, after GoodSAM (arXiv 2403.16370), from the teacher "
        f"`{config.teacher.model}` ({learns}) and {masks}.",
    )


def _targets_folder(out: Path) -> Path:
    return out / "targets"


def _keep_targets(config: DistillConfig, ensemble: Ensemble, pairs: PairedFolder) -> KeptTargets:
    """The targets of a teacher that does not learn, computed once; older ones made otherwise go."""
    folder = _targets_folder(Path(config.out))
    made = asdict(config)
    made = {key: made[key] for key in ("data", "teacher", "window", "masks", "loss")}
    about = folder / "about.json"
    if not about.exists() or read_json(about) != made:
        shutil.rmtree(folder, ignore_errors=True)
        write_json(about, made)
    return ensemble.keep_targets(pairs, folder)
