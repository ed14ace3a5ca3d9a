"""Every option of a distillation: its default and one line of help. Imports no torch.

samantic distill configs/goodsam_panorama.yaml --data.root FOLDER --teacher.model MODEL
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from samantic.config.augment import PhotometricConfig
from samantic.config.data import DataConfig
from samantic.config.networks import StudentConfig
from samantic.config.options import Default, Options
from samantic.config.train import NO_FOLDER, TrainConfig

Window = int | tuple[int, int]
"""Width in pixels of a panorama's windows, with the panorama's height; or their height and
width."""


@dataclass(frozen=True)
class TeacherConfig(Options, section="teacher"):
    """The teacher assistant, whose predictions the student learns from.

    Args:
        model: A trained model (run folder, model folder or hub id), or a SegFormer of transformers
            for semantic segmentation (local folder or hub id).
        update: frozen, or joint: the teacher is trained on the ensemble too, as in GoodSAM.
        learning_rate: Peak learning rate of a joint teacher.
    """

    model: str
    update: Literal["frozen", "joint"] = "frozen"
    learning_rate: float = 1e-5


@dataclass(frozen=True)
class MasksConfig(Options, section="masks"):
    """Masks without classes, which correct the teacher.

    Args:
        source: sam (all masks that SAM2 predicts from a grid of clicks), files (of any SAM; see
            docs/distil.md), instances (the numbered objects of generated scenes), or none.
        base: SAM2 for the source sam: a name as for SARTM's base.
        folder: Where NAME.json or NAME.png of each image lies, for the source files.
        side: Clicks along the longer side of an image or a window, for the source sam.
        quality: Least IoU that SAM predicts for a mask.
        stability: Least IoU of a mask cut at logit +1 and at logit -1.
        size: Images and windows are resized for SAM to this many pixels on the longer side; null is
            the size that the base was trained on (1024 for SAM2, 256 for sam-nano), image does not
            resize. Smaller is faster.
        cache: Folder for masks and for the targets of a frozen teacher, which several runs may
            share; null is the run folder.
        damage: How much masks are degraded, to measure their influence: at 1 a tenth of them is
            merged, a tenth split, a fifth eroded and a fifth left out; at 0.5 half as many.
        seed: Seed of the damage.
    """

    source: Literal["sam", "files", "instances", "none"] = "sam"
    base: str = "facebook/sam2.1-hiera-base-plus"
    folder: str | None = None
    side: int = 16
    quality: float = 0.7
    stability: float = 0.8
    size: int | Literal["image"] | None = None
    cache: str | None = None
    damage: float = 0.0
    seed: int = 0

    def broken(self) -> Iterator[str]:
        if (self.source == "files") != (self.folder is not None):
            yield "masks.folder belongs to masks.source files, which needs it"


@dataclass(frozen=True)
class ObjectiveConfig(Options, section="loss"):
    """Weights and kinds of the loss terms.

    Args:
        whole: Weight of the cross entropy with the teacher's prediction of the whole image.
        window: Weight of the cross entropy with the ensemble of each window and with its confident
            part.
        boundary: Weight of the boundary term.
        consistency: Weight of the divergence of the teacher's windows where they overlap; it only
            affects a joint teacher.
        features: Weight of the channel-wise distillation of the teacher's feature maps, each
            through a 1x1 projection; only for a frozen teacher and images without window.
        targets: Targets from the teacher's prediction of the whole image: hard class ids, or soft
            probabilities.
        class_balance: Weight of a class: its share of the pixels of teacher and ensemble in a batch
            to the power of minus this; 0 weights all classes equally. Use the teacher's own value,
            otherwise rare classes get lost.
        cover: Least share of a mask that its class must cover for the mask to be confident.
        smallest: Masks of fewer pixels are left out.
        distance: Only boundaries of masks within this many pixels of the teacher's boundaries are
            used.
    """

    whole: float = 1.0
    window: float = 1.0
    boundary: float = 0.1
    consistency: float = 1.0
    features: float = 0.0
    targets: Literal["hard", "soft"] = "hard"
    class_balance: float = 0.0
    cover: float = 0.6
    smallest: int = 64
    distance: int = 4


@dataclass(frozen=True)
class ViewConfig(PhotometricConfig, section="augment"):
    """Random changes of the student's input; the teacher sees the images as they are.

    Args:
        flip: Probability of a horizontal flip.
        roll: Whether panoramas start at a random column.
        crop: Height and width in pixels of the training crops, with the teacher's prediction for
            the whole image as target; null is the whole image. Not for panoramas.
        scale: Smallest and largest magnification before the crop.
    """

    flip: float = 0.5
    roll: bool = True
    crop: tuple[int, int] | None = None
    scale: tuple[float, float] = (1.0, 1.0)

    def broken(self) -> Iterator[str]:
        yield from super().broken()
        least, most = self.scale
        if least > most or (self.crop is None and (least, most) != (1, 1)):
            yield (
                f"augment.scale is {self.scale}; it must be 0 < smallest <= largest, and 1 without "
                "augment.crop"
            )


DISTILL_DEFAULTS: dict[str, Any] = {
    "data.val": None,
    "data.test": None,
    "data.thermal_scaling": "teacher",
}
"""A distillation looks for labels only where its configuration names a split, and scales thermal
images as its teacher does."""


@dataclass(frozen=True)
class DistillConfig(Options):
    """One distillation.

    Args:
        out: Run folder.
        window: Panoramas: width in pixels of the windows that the teacher and SAM see, which are as
            high as the panorama, overlap by half and go all around (GoodSAM); or height and width,
            for rows of them that overlap by half too (GoodSAM++). Null for images that are no
            panoramas, which are predicted as a whole.
    """

    out: str
    data: DataConfig
    teacher: TeacherConfig
    window: Window | None = None
    masks: MasksConfig = field(default_factory=MasksConfig)
    student: StudentConfig = field(default_factory=StudentConfig)
    loss: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    augment: ViewConfig = field(default_factory=ViewConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    def __post_init__(self) -> None:
        if isinstance(self.data, DataConfig):
            own = {key.removeprefix("data."): value for key, value in DISTILL_DEFAULTS.items()}
            left = {k: v for k, v in own.items() if isinstance(getattr(self.data, k), Default)}
            object.__setattr__(self, "data", replace(self.data, **left))
        super().__post_init__()

    def broken(self) -> Iterator[str]:
        if not self.out.strip():
            yield NO_FOLDER
        if self.train.teacher is not None:
            yield (
                "train.teacher belongs to samantic train; name the teacher of a distillation in "
                "teacher.model"
            )
        if self.loss.features and (self.window is not None or self.teacher.update == "joint"):
            yield (
                "loss.features belongs to images without window and a teacher that does not learn; "
                "set it 0, or window null and teacher.update frozen"
            )
        if self.augment.crop is not None and self.window is not None:
            yield "augment.crop belongs to images without window"
