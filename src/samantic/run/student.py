"""The student of a distillation: the settings it takes from its teacher, and checks of both."""

from __future__ import annotations

from dataclasses import replace

from samantic.config.data import DataConfig
from samantic.config.distill import DistillConfig
from samantic.config.networks import AdaptConfig
from samantic.data.cards.card import Projection
from samantic.data.cards.catalog import CATALOG
from samantic.data.pairs import PairedFolder
from samantic.distill.teacher import Teacher
from samantic.distill.windows import plan_windows
from samantic.errors import InputError
from samantic.models import Network
from samantic.predict.info import ModelInfo
from samantic.progress import tell
from samantic.strings import code


def taken_over(data: DataConfig, teacher: ModelInfo) -> DataConfig:
    """Fill in data options that are taken from the teacher: class names and thermal scaling."""
    if data.classes is None and not CATALOG[data.layout].classes:
        data = replace(data, classes=list(teacher.classes))
    if data.thermal_scaling == "teacher":
        return replace(data, thermal_scaling=str(teacher.camera.scaling))
    if teacher.camera.scaling.inverted and not data.hot_is_dark:
        tell(
            "the teacher learnt from thermal files in which hot is dark, and in these, by "
            "data.thermal_inverted false, hot is bright; set it true if they are alike"
        )
    return data


def check_student(
    config: DistillConfig, pairs: PairedFolder, teacher: Teacher, student: Network
) -> None:
    """Refuse a teacher that does not fit, a student without images to read, and wide windows.

    A trained teacher predicts crops. The size of a crop does not give the size to which the teacher
    would resize the whole image.
    """
    teacher.check_fits(pairs, f"teacher.model {config.teacher.model}")
    size = teacher.info.eval_size
    if config.loss.features and size is not None:
        raise InputError(
            f"loss.features: the teacher {config.teacher.model} sees images at a short side of "
            f"{size} pixels, and its features are those of another size; set loss.features 0"
        )
    if config.teacher.update == "joint" and config.augment.crop is not None and size is not None:
        raise InputError(
            f"augment.crop: the teacher {config.teacher.model} sees whole images at a short side "
            f"of {size} pixels, and a teacher that is trained sees crops; set augment.crop null, "
            "or teacher.update frozen"
        )
    there = pairs.spec.modalities
    for name in student.modalities:
        if name not in there:
            raise InputError(
                f"student.fusion {config.student.fusion}: reads {name}, and {pairs.root} has none; "
                f"set student.fusion {there[0]}"
            )
    plan_windows(config.window, pairs[0].size)


def student_info(config: DistillConfig, pairs: PairedFolder) -> ModelInfo:
    """The description of the student before it is trained."""
    learns = "which learnt from the ensemble too" if config.teacher.update == "joint" else "frozen"
    source = config.masks.source
    masks = {
        "sam": f"masks of SAM2 {code(config.masks.base)}",
        "files": "masks from files",
        "instances": "generated instance masks",
        "none": "no masks",
    }[source]
    around = config.window is not None or pairs.spec.projection == "equirectangular"
    projection: Projection = "equirectangular" if around else "perspective"
    return ModelInfo(
        config.student,
        AdaptConfig("full"),
        pairs.classes,
        pairs.palette,
        pairs.spec.title,
        camera=pairs.camera,
        eval_size=config.data.eval_size,
        origin="Distilled without labels, after GoodSAM (arXiv 2403.16370), from the teacher "
        f"{code(config.teacher.model)} ({learns}) and {masks}.",
        view=config.augment.crop or pairs[0].size,
        projection=projection,
    )
