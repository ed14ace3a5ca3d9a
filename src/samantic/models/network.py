"""The interface of networks for RGB-thermal pairs, for training, evaluation and prediction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from samantic.config.networks import Head
from samantic.data.sensors import SENSORS
from samantic.models.encoders.norms import fold_norms
from samantic.models.memory import Encoded, Memory
from samantic.models.pyramid import Pyramid
from samantic.models.students.shapes import SegFormerShape

CHANNELS = {name: sensor.channels for name, sensor in SENSORS.items()}
"""Number of channels of each modality's images."""

MODALITIES = ("rgb", "thermal")
"""The modalities that the networks of this package read: the first rows of the sensor table."""


class Output(NamedTuple):
    """The output of a network.

    Attributes:
        logits: The logits, (N, K, H, W); SARTM's are the mask head's.
        auxiliary: The auxiliary head's logits, (N, K, H, W); None without that head.
        features: The fused pyramid, from which the language distillation pools class vectors. The
            variant `late` fuses no features; there it is the average of both pyramids.
        single_modality: On request, each modality's own (logits, auxiliary).
    """

    logits: Tensor
    auxiliary: Tensor | None
    features: Pyramid
    single_modality: tuple[tuple[Tensor, Tensor | None], ...] = ()

    def row(self, i: int) -> Output:
        """The output for one pair, N = 1; without `single_modality`."""
        auxiliary = None if self.auxiliary is None else self.auxiliary[i : i + 1]
        features = Pyramid(*(level[i : i + 1] for level in self.features))
        return Output(self.logits[i : i + 1], auxiliary, features)

    def probabilities(self, head: Head = "mask") -> Tensor:
        """Class probabilities (N, K, H, W) of the mask head, the auxiliary head or their mean."""
        mask = self.logits.float().softmax(1)
        if head == "mask" or self.auxiliary is None:
            return mask
        auxiliary = self.auxiliary.float().softmax(1)
        return auxiliary if head == "auxiliary" else (mask + auxiliary) / 2

    def answer(self, head: Head = "mask") -> Tensor:
        """Logits (N, K, H, W) whose softmax is `probabilities(head)`; none is rounded to 0."""
        if head == "mask" or self.auxiliary is None:
            return self.logits
        if head == "auxiliary":
            return self.auxiliary
        return torch.logaddexp(
            *(F.log_softmax(x.float(), 1) for x in (self.logits, self.auxiliary))
        )


class Network(nn.Module):
    """A network for pairs; either image may be missing.

    Args:
        fusion: Name of the variant, for messages.
        modalities: The modalities that it reads: rgb, thermal or both, in this order.
        num_classes: Number of classes K.
        width: Width of the semantic map, `Output.features.semantic`.
        heads: The heads that it has.
        shape: Sizes with which a model folder can build the network without its base.
        stride: Stride of the semantic map in pixels.

    Attributes:
        learnt: Names of the parameters that the base does not provide, if the others can be loaded
            again by the base's name; None if a model folder must hold all.
        memory: Cache of encodings for images that are predicted again; None caches nothing.
        parts: The role of each of its modules: encoders, fusion or heads.
    """

    learnt: frozenset[str] | None = None
    memory: Memory | None = None
    parts: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self,
        fusion: str,
        modalities: tuple[str, ...],
        num_classes: int,
        width: int,
        heads: tuple[Head, ...] = ("mask",),
        shape: SegFormerShape | None = None,
        stride: int = 16,
    ) -> None:
        super().__init__()
        self.fusion_name, self.modalities = fusion, modalities
        self.num_classes, self.width = num_classes, width
        self.heads, self.shape, self.stride = heads, shape, stride

    def forward(
        self,
        rgb: Tensor | None = None,
        thermal: Tensor | None = None,
        present: Tensor | None = None,
        *,
        single_modality: bool = False,
    ) -> Output:
        """Segment a batch of pairs; either modality may be missing.

        Args:
            rgb: (N, 3, H, W) in [0, 1], or None if no pair of the batch has it.
            thermal: (N, 1, H, W) in [0, 1], or None.
            present: (N, 2) bool, which of RGB and thermal each pair has, at least one; None means
                every given image. An image that is not present has no influence on the output.
            single_modality: Whether to decode each modality by itself too, if both are given. The
                result has no meaning for a pair that lacks the modality.

        Raises:
            ValueError: A shape does not fit, or no given image is one that the variant reads.
        """
        raise NotImplementedError

    def merge(self) -> None:
        """Fold updates and batch norms into the weights, for inference in evaluation mode.

        Batch norms become part of the convolutions before them.
        """
        fold_norms(self)

    def encoded(self, name: str, images: Tensor, encode: Callable[[Tensor], Encoded]) -> Encoded:
        """The encodings of a modality's images, from the cache if they are in it."""
        return encode(images) if self.memory is None else self.memory.get(name, images, encode)

    def stored(self) -> dict[str, Tensor]:
        """The tensors that a model folder holds, by name; a shared one under its first name."""
        parameters = dict(self.named_parameters())
        if self.learnt is not None:
            return {name: p for name, p in parameters.items() if name in self.learnt}
        persistent = self.state_dict().keys()
        buffers = {name: b for name, b in self.named_buffers() if name in persistent}
        return {**parameters, **buffers}

    def provided(self) -> dict[str, Tensor]:
        """The parameters that the base provides, which a model folder does not hold."""
        stored = self.stored().keys()
        return {name: p for name, p in self.named_parameters() if name not in stored}

    def class_parts(self, index: int) -> Iterator[tuple[str, int | None]]:
        """The rows of the parameters that belong to a single class.

        Args:
            index: Label id of the class.

        Returns:
            Names of tensors, each with the row of the class; None for a whole tensor.
        """
        raise NotImplementedError

    def inherited(self, source: Network) -> dict[str, Tensor]:
        """The part of a trained network's state with which this network can start, by its names.

        Args:
            source: The trained network, with the same structure except for its classes.
        """
        return source.state_dict()

    def select(self, rgb: Tensor | None, thermal: Tensor | None) -> dict[str, Tensor]:
        """The given images of the modalities that this variant reads; their shapes are checked.

        Raises:
            ValueError: A shape does not fit, or no given image is one that the variant reads.
        """
        given = {"rgb": rgb, "thermal": thermal}
        images = {name: image for name, image in given.items() if image is not None}
        _check_shapes(images)
        images = {name: image for name, image in images.items() if name in self.modalities}
        if not images:
            wanted = " or ".join(self.modalities)
            raise ValueError(f"the variant '{self.fusion_name}' reads {wanted}: none was given")
        return images


def freeze_unused(network: nn.Module, answer: Tensor) -> None:
    """Freeze parameters that do not affect the prediction, such as those of an unused head.

    They would receive no gradient, and training on several devices would wait for their gradients.

    Args:
        network: The network; only `requires_grad` of its parameters changes.
        answer: A tensor of any shape that the network has computed.
    """
    parameters = [p for p in network.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(answer.sum(), parameters, allow_unused=True)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.requires_grad_(gradient is not None)


def presence_of(images: dict[str, Tensor], present: Tensor | None) -> Tensor:
    """Which of RGB and thermal each pair has, (N, 2) bool: the given images that are not hidden.

    Columns of further sensors in `present` are for other networks. If a network is traced for
    export, the values of `present` are not checked, since a graph cannot branch on them.

    Raises:
        ValueError: `present` has another shape or type, or a pair has no image.
    """
    first = next(iter(images.values()))
    count, sensors = first.shape[0], len(MODALITIES)
    given = torch.tensor([name in images for name in MODALITIES], device=first.device)
    if present is None:
        return given.expand(count, sensors)
    if present.dtype != torch.bool or present.ndim != 2 or present.shape[1] < sensors:
        raise ValueError(
            f"present must be (N, {sensors}) bool, got {tuple(present.shape)} {present.dtype}"
        )
    if present.shape[0] != count:
        raise ValueError(f"present is of {present.shape[0]} pairs, the images of {count}")
    if not torch.compiler.is_compiling() and not bool((some := present.any(dim=1)).all()):
        empty = int((~some).nonzero()[0])
        raise ValueError(f"present: pair {empty} has no image at all; leave it out")
    return present[:, :sensors] & given


def broken(tensors: Iterable[tuple[str, Tensor]]) -> str | None:
    """The name of the first tensor that holds NaN or infinity; None if all are finite."""
    return next((name for name, tensor in tensors if not bool(tensor.isfinite().all())), None)


def taken(x: Tensor, rows: Tensor) -> Tensor:
    """The rows of (N, ...) that are set in `rows`, (N,) bool, as (n, ...)."""
    return x if bool(rows.all()) else x[rows]


def put_back(x: Tensor, rows: Tensor) -> Tensor:
    """The inverse of `taken`: (n, ...) to (N, ...), 0 where `rows` is not set."""
    if len(x) == len(rows):
        return x
    return x.new_zeros(len(rows), *x.shape[1:]).index_put((rows,), x)


def _check_shapes(images: dict[str, Tensor]) -> None:
    fits = all(x.ndim == 4 and x.shape[1] == CHANNELS[name] for name, x in images.items())
    sizes = [(x.shape[0], *x.shape[-2:]) for x in images.values()]
    if not fits or any(size != sizes[0] for size in sizes):
        raise ValueError(
            "rgb must be (N, 3, H, W) and thermal (N, 1, H, W) with equal N, H and W, got "
            + " and ".join(f"{name} {tuple(x.shape)}" for name, x in images.items())
        )


@contextmanager
def remembering(network: Network, most: int) -> Iterator[Memory]:
    """Let a network cache the encodings of images inside the block, for inference."""
    network.memory = Memory(most)
    try:
        yield network.memory
    finally:
        network.memory = None
