"""The teacher assistant: any trained network of the same classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import SegformerConfig

from samantic.config.networks import AdaptConfig, StudentConfig
from samantic.data.cards.card import palette
from samantic.data.pairs import PairedFolder
from samantic.data.resize import magnify, network_scale, resize_to
from samantic.data.sensors import SENSORS
from samantic.distill.windows import Cut, cut_windows
from samantic.errors import InputError
from samantic.models import Network, Student
from samantic.models.hub import locate
from samantic.models.network import freeze_unused
from samantic.predict.info import ModelInfo
from samantic.predict.model_folder import SHIPPED, load_model, tensors_fingerprint

SIDE = 64
"""Height and width in pixels of an image with which the parameters that affect the output are
found."""


class Teacher(nn.Module):
    """A trained network that predicts as at inference; it stays in evaluation mode.

    Args:
        network: The network.
        info: Its options and classes.

    Shape: images (N, C, H, W) in [0, 1] by sensor, and the factor by which they are resized for the
    network, to logits (N, K, H, W).
    """

    def __init__(self, network: Network, info: ModelInfo) -> None:
        super().__init__()
        self.network, self.info = network.eval(), info

    def forward(self, scale: float = 1.0, **images: Tensor) -> Tensor:
        size = next(iter(images.values())).shape[-2:]
        out = self.network(**{name: magnify(x, scale) for name, x in images.items()})
        return resize_to(out.answer(self.info.model.prediction), size)

    def learn(self, modalities: Sequence[str]) -> None:
        """Make the teacher trainable for images of some modalities.

        Parameters that do not affect its output, such as those of an unused head, are frozen.
        """
        images = {
            name: torch.zeros(1, sensor.channels, SIDE, SIDE)
            for name, sensor in SENSORS.items()
            if name in modalities
        }
        freeze_unused(self, self(**images))

    def check_fits(self, pairs: PairedFolder, source: str) -> None:
        """Refuse pairs with other classes, and pairs without an image that the network reads.

        Args:
            pairs: The student's training pairs.
            source: Key and name of the teacher, for the message.

        Raises:
            InputError: The pairs do not fit.
        """
        pairs.check_reader(
            source, self.network.modalities, self.info.classes, "take a teacher that fits them"
        )

    def in_windows(self, images: Mapping[str, Tensor], cut: Cut) -> Tensor:
        """Logits (n, N, K, h, w) of n windows of N images, resized as in its own evaluation."""
        windows = {name: cut_windows(x, cut).flatten(0, 1) for name, x in images.items()}
        logits: Tensor = self(network_scale(cut.size, self.info.eval_size), **windows)
        return logits.reshape(len(cut.corners), -1, *logits.shape[1:])

    def fingerprint(self) -> str:
        """SHA-256 of its weights, 16 hexadecimal digits."""
        return tensors_fingerprint(self.network.state_dict())


def load_teacher(name_or_path: str) -> Teacher:
    """Load a trained model, or a SegFormer of transformers for semantic segmentation.

    Args:
        name_or_path: A run folder, a model folder or a hub id of either.

    Raises:
        InputError: There is no such model.
    """
    classes = segformer_classes(name_or_path)
    if classes is None:
        return Teacher(*load_model(name_or_path))
    options = StudentConfig(name_or_path, "rgb")
    network = Student(name_or_path, len(classes), fusion="rgb")
    colours = palette(len(classes))
    info = ModelInfo(
        options, AdaptConfig("full"), classes, colours, name_or_path, shape=network.shape
    )
    return Teacher(network, info)


def segformer_classes(name_or_path: str) -> tuple[str, ...] | None:
    """Class names by label id of a SegFormer of transformers; None for anything else.

    Raises:
        InputError: It is a SegFormer without a segmentation head.
    """
    path = Path(name_or_path)
    shipped = not path.exists() and (SHIPPED / path).is_dir()
    if shipped or (path / "model").is_dir():  # a shipped model, or a run folder
        return None
    try:
        values, _ = SegformerConfig.get_config_dict(locate(name_or_path, "teacher.model", ""))
    except (InputError, OSError):  # neither a folder nor on the hub: the other loader reports it
        return None
    if values.get("model_type") != "segformer":
        return None
    if values.get("architectures") != ["SegformerForSemanticSegmentation"]:
        raise InputError(
            f"teacher.model {name_or_path}: a SegFormer without a segmentation head; give one "
            "trained for semantic segmentation"
        )
    names = values.get("id2label", {})
    return tuple(names[index] for index in sorted(names, key=int))
