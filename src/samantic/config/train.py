"""Every option of a training run: its default and one line of help. Imports no torch.

A configuration is a YAML file; `--key value` on the command line overrides a key of it:

    samantic train configs/mfnet.yaml --data.root /data/mfnet --train.batch-size 4
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from samantic.config.augment import AugmentConfig
from samantic.config.data import DataConfig
from samantic.config.networks import AdaptConfig, ModelConfig, SartmConfig, adapt_misfit
from samantic.config.options import RANGES, Default, Options, quoted

NO_FOLDER = "out is empty; give the run folder"

EPOCHS, STEPS = 100, 1000
"""Of a training that names neither: so many epochs, or as many more as make so many steps."""


@dataclass(frozen=True)
class TextConfig(Options, section="text"):
    """Vectors of the class names, for the language distillation.

    Args:
        source: A CLIP text model (hub id such as openai/clip-vit-base-patch32, or local folder), an
            .npz or .safetensors file of `names` and `embeddings`, or sentence-encoder (needs the
            extra text-offline); null for no language.
        prompt: Prompt for a text model; {} stands for the class name.
        alias: Names to look up instead, as "bike=bicycle,color cone=traffic cone"; an empty name
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
        cross_entropy: ohem uses only hard pixels (online hard example mining), plain uses all.
        ohem_count: ohem keeps at least a sixteenth of the labelled pixels of the batch on a device,
            or of each image.
        auxiliary: Weight of the auxiliary head's cross entropy (the paper's lambda 1).
        prototype: Weight of the prototype term (lambda 2).
        language: Weight of the language distillation (lambda 3); needs text.source.
        tau: Temperature of the language distillation.
        cross_modal: Weight of the distillation from the fused prediction to RGB's and thermal's.
        teacher: Weight of the distillation from train.teacher.
        class_balance: Weight of a class: its share of the training pixels to the power of minus
            this; 0 weights all classes equally, 1 balances them fully.
        boundary_weight: Extra weight of pixels near a boundary between two classes of the labels in
            the cross entropy: they weigh 1 plus this; 0 weighs all pixels alike. Ignored pixels and
            the border of an image are no boundary.
        boundary_width: How near that is: a pixel of another class lies within so many rows and
            columns.
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
    boundary_weight: float = 0.0
    boundary_width: int = 3


@dataclass(frozen=True)
class TrainConfig(Options, section="train"):
    """The optimisation.

    Args:
        epochs: Passes over the training split, by all devices together. If it is null, as steps is,
            they are 100, or as many more as make 1000 steps.
        steps: Total optimiser steps, on any number of devices; replaces epochs when given.
        batch_size: Pairs in a forward pass on each device; with more devices a step has more pairs.
        accumulate: Passes whose gradients are averaged into a step: batch_size x accumulate pairs
            on each device with the memory of batch_size.
        checkpointing: Keep only the inputs of the encoder's blocks and compute their activations
            again for the gradient: less memory, more time, the same steps; see docs/memory.md.
        compile: Compile the parts of the network with torch.compile, for each image size: takes
            minutes at the start and less time for a step on a GPU; needs a C++ compiler on a CPU.
        learning_rate: Peak learning rate of AdamW.
        weight_decay: Weight decay of matrices and kernels; biases, norms, tokens and embeddings
            have none.
        warmup: Fraction of the steps in which the learning rate rises from a tenth of its peak to
            its peak; then it falls.
        clip: Largest norm of the gradient; larger gradients are scaled down. null does not clip.
        ema: Decay of a moving average of the weights, which is validated and saved instead of the
            weights; 0 means no average. 0.99 averages about the last hundred steps.
        validations: Number of validations, evenly spaced, the last one at the end of the run.
        save_minutes: Minutes between two saves of the state for --resume, which is saved after each
            validation too; 0 saves after every step.
        log: Loggers of the run, with pairs of each validation, besides its own logs: a list of
            tensorboard and wandb (extras of these names); null for none.
        precision: auto is bf16 where the device has it and float32 elsewhere.
        devices: Devices to train on: auto, or their number, such as 1 or 4.
        seed: Seed of the weights, the order and the augmentation.
        start: Trained model (run folder, model folder or hub id) of the same network whose weights
            training starts from; classes with equal names, whatever their case, keep their weights,
            other classes are initialised anew, and a line says which. {seed} in it stands for
            `seed`.
        teacher: Trained model of any network and the same classes, whose predictions are a target
            besides the labels, also on pixels without a label.
    """

    epochs: int | None = None
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

    def total_steps(self, length: int, pairs: int) -> int:
        """Optimiser steps on a split of `length` pairs, of which a step takes `pairs`."""
        if self.steps:
            return self.steps
        steps = math.ceil((self.epochs or EPOCHS) * length / pairs)
        return max(steps, 1 if self.epochs else STEPS)

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
