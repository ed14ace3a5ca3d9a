"""Every option of a training run: its default and one line of help. Imports no torch.

A configuration is a YAML file; `--key value` on the command line overrides a key of it:

    samantic train configs/mfnet.yaml --data.root /data/mfnet --train.batch-size 4
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from samantic.config.classes import check_colours, check_names
from samantic.config.matrix import check_matrix
from samantic.config.networks import AdaptConfig, ModelConfig, SartmConfig, adapt_misfit
from samantic.config.options import RANGES, Default, Options, quoted
from samantic.config.scaling import parse_scaling
from samantic.errors import InputError

Layout = Literal[
    "mfnet",
    "pst900",
    "fmb",
    "msrs",
    "cart",
    "pairs",
    "cityscapes",
    "densepass",
    "wildpass",
    "stanford2d3d",
]

IGNORE = 255
"""Label of pixels that count neither in losses nor in metrics."""

TILE = 1536
"""Images with a longer side than this many pixels are predicted in tiles of this side, unless the
model saw more of an image at once in training."""

NO_FOLDER = "out is empty; give the run folder"

MOST_TILE = 65536
"""Largest side of a tile in pixels."""


@dataclass(frozen=True)
class DataConfig(Options, section="data"):
    """The labelled pairs.

    Args:
        root: Folder of the data set.
        layout: How files lie in it; see docs/datasets.md.
        classes: Class names by label id, for the layout pairs; quote what YAML takes for no text,
            such as "no".
        rgb: Folder of RGB images below root, or a pattern with * such as "drive*/*_rgb.*", for
            the layout pairs; what the stars stand for pairs the files. It may be absolute, and
            {split} in it stands for the split. Without thermal, RGB is all there is.
        thermal: The same for thermal images.
        labels: The same for label images.
        rgbt: The same for 4-channel images, in place of rgb and thermal.
        allow_unpaired: Names without a file of every kind are left out, and listed; else they are
            an error.
        colors: Colour of each class as #rrggbb, for the layout pairs; label images may then hold
            these colours in place of ids, those of one channel only if all are gray; see
            docs/datasets.md.
        train: Split to learn from; "train[:90%]" is its first nine tenths.
        val: Split that selects the model, e.g. "train[90%:]" where the data set has none; null
            keeps the last state.
        test: Split that is reported, and never used for any choice; null measures nothing.
        thermal_scaling: How thermal values become 0..1: 8-bit (gray levels; deeper files are
            refused), LOW,HIGH in the files' unit, UNIT:LOW,HIGH in degrees Celsius, dataset (a
            range estimated on the training split), frame (each image's own range) or, in a
            distillation, teacher (as the teacher learnt it); see docs/thermal-images.md.
        thermal_inverted: Hot is dark in the thermal files (black-hot): they are turned over, and
            the model remembers it.
        rig: Where the thermal camera looks: a 3x3 or 2x3 matrix that takes thermal pixels to RGB
            pixels, a YAML file that holds it as thermal_to_rgb, or resize for images of one view
            and two sizes; null for aligned images; see docs/own-data.md.
        panorama: Images of the layout pairs go all around, so that their left and right edge meet;
            null means that they do not.
        eval_size: Images are brought to this short side in pixels, their aspect kept, before the
            network sees them in validation, test and prediction; labels come in the images' own
            size, and so do metrics. null leaves images as they are.
        workers: Processes that load and augment images; 0 loads in the main one.
    """

    root: str
    layout: Layout = "mfnet"
    classes: list[str] | None = None
    rgb: str | None = None
    thermal: str | None = None
    labels: str | None = None
    rgbt: str | None = None
    allow_unpaired: bool = False
    colors: list[str] | None = None
    train: str = "train"
    val: str | None = Default("val")
    test: str | None = Default("test")
    thermal_scaling: str = Default("8-bit")
    thermal_inverted: bool = False
    rig: str | list[list[float]] | None = None
    panorama: bool | None = None
    eval_size: int | None = None
    workers: int = 2

    def broken(self) -> Iterator[str]:
        if not self.root.strip():
            yield "data.root is empty; give the folder of the data set"
        checks: list[Callable[[], None]] = [
            lambda: _check_scaling(self.thermal_scaling),
            lambda: check_matrix(self.rig),
        ]
        if self.classes is not None:
            checks.append(lambda: check_names(self.classes or [], "data.classes"))
        if self.colors is not None and self.layout == "pairs":  # others refuse them
            checks.append(lambda: check_colours(self.colors or [], self.classes, "data.colors"))
        for look in checks:
            try:
                look()
            except InputError as error:
                yield str(error)


def _check_scaling(text: str) -> None:
    """Refuse what is no scaling.

    Raises:
        InputError: It is so.
    """
    if text not in ("dataset", "teacher"):
        try:
            parse_scaling(text)
        except InputError as error:
            raise InputError(f"data.thermal_scaling: {error}") from None


@dataclass(frozen=True)
class PhotometricConfig(Options, section="augment"):
    """Random changes of what the cameras saw; pixels keep their place.

    Args:
        color: RGB's brightness, contrast and saturation are multiplied by factors within 1 plus or
            minus this (0.4 = up to 40 %); what is dark stays dark.
        hue: RGB's hue turns by up to this share of the colour circle; null means color / 8.
        color_probability: Probability of these changes of a pair.
        blur: Probability of a Gaussian blur of the RGB image.
        blur_size: Side of its kernel in pixels, an odd number.
        blur_sigma: Smallest and largest standard deviation of it in pixels.
        thermal_gain: Thermal contrast changes by up to this fraction, and its level moves by up to
            this share of the way to black or to white.
        thermal_noise: Largest standard deviation of noise added to thermal (range 0..1).
        misalign: Thermal is shifted by up to this many pixels each way, as cameras out of place do.
        modality_dropout: Probability of hiding each modality from a sample; never both.
    """

    color: float = 0.4
    hue: float | None = None
    color_probability: float = 0.8
    blur: float = 0.1
    blur_size: int = 5
    blur_sigma: tuple[float, float] = (0.1, 2.0)
    thermal_gain: float = 0.2
    thermal_noise: float = 0.02
    misalign: int = 0
    modality_dropout: float = 0.1

    def broken(self) -> Iterator[str]:
        if self.blur_size % 2 == 0:
            yield f"augment.blur_size is {self.blur_size}; it must be an odd number"
        if self.blur_sigma[0] > self.blur_sigma[1]:
            yield f"augment.blur_sigma is {self.blur_sigma}; it must be 0 < smallest <= largest"


@dataclass(frozen=True)
class AugmentConfig(PhotometricConfig, section="augment"):
    """Random changes of the training pairs.

    Args:
        crop: Height and width in pixels of the training crops.
        scale: Smallest and largest magnification before the crop. Where a crop shows more than the
            image, images are padded with their mean and labels with 255.
        zoom: What a magnification of 1 is: image, the images' own pixels (log-uniform in the
            range); or crop, the one that brings an image's short side to the crop's (uniform, as in
            the paper's lineage; set data.eval_size to the crop's short side then).
        flip: Probability of a horizontal flip.
        rare: Share of the crops that are placed on a rare class: a class is drawn, then a frame
            that has it. It is any class but the most common one, drawn in proportion to the
            square root of the number of frames that have it.
        paste: Probability that a thing of a class drawn likewise is pasted from another frame of
            the same subset (such as day or night): RGB, thermal and labels, at its own place.
    """

    crop: tuple[int, int] = (480, 640)
    scale: tuple[float, float] = (0.5, 2.0)
    zoom: Literal["image", "crop"] = "image"
    flip: float = 0.5
    rare: float = 0.0
    paste: float = 0.0

    def broken(self) -> Iterator[str]:
        yield from super().broken()
        if self.scale[0] > self.scale[1]:
            yield f"augment.scale is {self.scale}; it must be 0 < smallest <= largest"


@dataclass(frozen=True)
class TextConfig(Options, section="text"):
    """Vectors of the class names, for the language distillation.

    Args:
        source: A CLIP text model (hub id such as openai/clip-vit-base-patch32, or local folder), an
            .npz or .safetensors file of `names` and `embeddings`, or sentence-encoder (needs the
            extra text-offline); null for no language.
        prompt: What a text model reads; {} stands for the name.
        alias: Names to look up instead, as "bike=bicycle,color cone=traffic cone"; an empty one
            leaves the class out.
    """

    source: str | None = None
    prompt: str = "{}"
    alias: str = ""

    def broken(self) -> Iterator[str]:
        if "{}" not in self.prompt:
            yield f"text.prompt is {quoted(self.prompt)}; it must contain {{}} for the name"


@dataclass(frozen=True)
class LossConfig(Options, section="loss"):
    """Weights and kinds of the loss terms.

    Args:
        cross_entropy: ohem keeps the hard pixels only, plain keeps all.
        ohem_count: ohem keeps at least a sixteenth of the labelled pixels of the batch on a device,
            or of each image.
        auxiliary: Weight of the auxiliary head's cross entropy (the paper's lambda 1).
        prototype: Weight of the prototype term (lambda 2).
        language: Weight of the language distillation (lambda 3); needs text.source.
        tau: Temperature of the language distillation.
        cross_modal: Weight of the distillation from the fused prediction to RGB's and thermal's.
        teacher: Weight of the distillation from train.teacher.
        class_balance: A class weighs as much as its share of the training pixels to the power of
            minus this; 0 weighs all alike, 1 balances them fully.
    """

    cross_entropy: Literal["ohem", "plain"] = "ohem"
    ohem_count: Literal["batch", "image"] = "batch"
    auxiliary: float = 0.4
    prototype: float = 0.0
    language: float = 0.0
    tau: float = 0.1
    cross_modal: float = 0.0
    teacher: float = 1.0
    class_balance: float = 0.0


@dataclass(frozen=True)
class TrainConfig(Options, section="train"):
    """The optimisation.

    Args:
        epochs: Passes over the training split, by all devices together.
        steps: Total optimiser steps, on any number of devices; replaces epochs when given.
        batch_size: Pairs in a pass of the network on a device; more devices see more pairs in a
            step.
        accumulate: Passes whose gradients are averaged into a step, which sees batch_size x
            accumulate pairs on a device in the memory of batch_size.
        checkpointing: Keep the inputs of the encoder's blocks alone and compute what is in them
            once more for the gradient: less memory, more time, the same steps; see docs/memory.md.
        compile: Compile the network's parts by torch.compile, for each size of images: minutes at
            the start, less time a step on a GPU; needs a C++ compiler on a CPU.
        learning_rate: Peak learning rate of AdamW.
        weight_decay: Decay of matrices and kernels; biases, norms, tokens and embeddings have none.
        warmup: Fraction of the steps in which the rate rises from a tenth to its peak, after which
            it falls.
        clip: Largest norm of the gradient, larger ones are scaled down; null never does.
        ema: Decay of a moving average of the weights, which is what is validated and kept; 0 keeps
            the weights as they are. With 0.99 about the last hundred steps count.
        validations: How many times the run is validated, evenly spaced, the last time at its end.
        save_minutes: Minutes between two saves of what --resume needs, which is saved after each
            validation too; 0 saves after every step.
        log: Where the run is shown as it goes, with pairs of each validation, besides its own logs:
            a list of tensorboard and wandb (extras of these names); null nowhere.
        precision: auto is bf16 where the device has it and float32 elsewhere.
        devices: Devices to train on: auto, or their number, such as 1 or 4.
        seed: Seed of the weights, the order and the augmentation.
        start: Trained model (run folder, model folder or hub id) of the same network whose weights
            training starts from; classes of equal names, whatever their case, keep what
            they learnt, others start anew, and a line says which. {seed} in it stands for `seed`.
        teacher: Trained model of any network and the same classes, whose predictions the run learns
            from besides the labels, on pixels without a label too.
    """

    epochs: int = 100
    steps: int | None = None
    batch_size: int = 8
    accumulate: int = 1
    checkpointing: bool = False
    compile: bool = False
    learning_rate: float = 1e-4
    weight_decay: float = 0.01
    warmup: float = 0.02
    clip: float | None = 1.0
    ema: float = 0.0
    validations: int = 20
    save_minutes: float = 10.0
    log: list[Literal["tensorboard", "wandb"]] | None = None
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"
    devices: int | str = "auto"
    seed: int = 0
    start: str | None = None
    teacher: str | None = None

    def broken(self) -> Iterator[str]:
        text = str(self.devices)
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
        if text != "auto" and not RANGES["train.devices"].holds(number):
            yield (
                f"train.devices is {quoted(self.devices)}; it must be auto, or how many devices to "
                f"train on, {RANGES['train.devices']}"
            )


@dataclass(frozen=True)
class Config(Options):
    """One training run.

    Args:
        out: Run folder.
    """

    out: str
    data: DataConfig
    model: ModelConfig = field(default_factory=SartmConfig)
    adapt: AdaptConfig = field(default=None)  # type: ignore[assignment]  # what the network takes
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    text: TextConfig = field(default_factory=TextConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    def __post_init__(self) -> None:
        methods = getattr(self.model, "methods", SartmConfig.methods)
        if self.adapt is None:
            object.__setattr__(self, "adapt", AdaptConfig(methods[0]))
        elif isinstance(self.adapt, AdaptConfig) and isinstance(self.adapt.method, Default):
            object.__setattr__(self, "adapt", replace(self.adapt, method=methods[0]))
        super().__post_init__()

    def broken(self) -> Iterator[str]:
        if not self.out.strip():
            yield NO_FOLDER
        yield from adapt_misfit(self.model, self.adapt)
        if self.loss.language and not self.text.source:
            yield "loss.language needs text.source, e.g. openai/clip-vit-base-patch32"
        if self.model.fusion == "figure" and not (self.loss.language or self.loss.prototype):
            yield (
                "model.fusion figure needs loss.language or loss.prototype, which train its FRM "
                "and FFM"
            )
