"""The interface of pre-trained image encoders.

A family, such as SAM2, is one file in this folder and one arm in `_family` of `door`. The file
defines how a base is loaded and which of its parts are an `Encoder`, a mask decoder and a prompt
encoder.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from samantic.models.pyramid import Pyramid

if TYPE_CHECKING:
    from transformers import PreTrainedModel


MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's mean and standard deviation, for RGB in 0..1."""


class Projection(NamedTuple):
    """A Linear layer of an encoder that can be adapted.

    Attributes:
        block: The module that holds it.
        name: Its name in the module; `qkv` computes queries, keys and values together, every other
            name one of them.
    """

    block: nn.Module
    name: str


class Encoder(nn.Module, ABC):
    """An image encoder for one modality.

    Attributes:
        strides: Strides of its three maps in pixels, the finest first: (s, 2s, 4s).
        widths: Channels of the maps.
        multiple: Height and width of its images must be multiples of this number of pixels.
        mean: Mean of its training images, for RGB in 0..1.
        std: Their standard deviation.

    Shape: normalised images (N, 3, H, W) to maps (N, widths[i], H / strides[i], W / strides[i]).
    """

    strides: tuple[float, float, float]
    widths: tuple[int, int, int]
    multiple: int
    mean: ClassVar[tuple[float, float, float]] = MEAN
    std: ClassVar[tuple[float, float, float]] = STD

    @abstractmethod
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Encode normalised images."""

    @abstractmethod
    def lora_targets(self) -> list[Projection]:
        """The projections to queries and values that low-rank updates adapt."""

    def freeze_constants(self) -> None:
        """Freeze parameters that no adaptation trains; by default there are none."""

    def read(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Normalise images (N, 3, H, W) in [0, 1], pad them with the mean, and encode them."""
        height, width = images.shape[-2:]
        padding = (0, -width % self.multiple, 0, -height % self.multiple)
        maps: tuple[Tensor, Tensor, Tensor] = self(
            F.pad(normalise(images, self.mean, self.std), padding)
        )
        return maps


class Base(NamedTuple):
    """The parts of a pre-trained promptable network, with transformers' names.

    Attributes:
        encoder: The image encoder.
        mask_decoder: SAM2's mask decoder, or one with the same parts, such as `conv_s0` and
            `mask_tokens`. The width of the semantic map is `encoder.widths[2]`.
        prompt_encoder: The embeddings of clicks, boxes and of no prompt.
        shared_image_embedding: From positions (h, w, 2) in 0..1 to positional encodings (h, w, D).
        reloadable: Whether its weights can be loaded again by the name of the base, so that a model
            folder need not hold them.
    """

    encoder: Encoder
    mask_decoder: Any
    prompt_encoder: Any
    shared_image_embedding: Any
    reloadable: bool


class Family(NamedTuple):
    """How bases of one architecture are opened.

    Attributes:
        load: From a name or folder to the complete network of transformers.
        parts: From that network to its `Base`.
    """

    load: Callable[[str], PreTrainedModel]
    parts: Callable[[Any], Base]


def normalise(
    images: Tensor, mean: tuple[float, ...] = MEAN, std: tuple[float, ...] = STD
) -> Tensor:
    """Normalise images (N, 3, H, W) in [0, 1] by mean and deviation; by default ImageNet's."""
    middle, spread = (
        torch.tensor(values, device=images.device, dtype=images.dtype).view(1, 3, 1, 1)
        for values in (mean, std)
    )
    return (images - middle) / spread


def encode_pyramid(encoder: Encoder, decoder: Any, images: Tensor) -> Pyramid:
    """Encode (N, 3, H, W) images in [0, 1], with the padding that the encoder needs.

    The decoder's 1x1 convolutions reduce the finer two maps.
    """
    fine, intermediate, semantic = encoder.read(images)
    return Pyramid(decoder.conv_s0(fine), decoder.conv_s1(intermediate), semantic)


def position_grid(positional: nn.Module, semantic: Tensor) -> Tensor:
    """Positional encodings (N, D, h, w) for the size of `semantic`, normalised along each axis."""
    batch, _, height, width = semantic.shape
    device = semantic.device
    y = (torch.arange(height, device=device, dtype=torch.float32) + 0.5) / height
    x = (torch.arange(width, device=device, dtype=torch.float32) + 0.5) / width
    grid = torch.stack([x.expand(height, width), y[:, None].expand(height, width)], dim=-1)
    position: Tensor = positional(grid).permute(2, 0, 1)
    return position.expand(batch, -1, -1, -1)


def to_image(logits: Tensor, size: tuple[int, ...], stride: float = 4.0) -> Tensor:
    """Upsample logits (N, C, h, w) at a stride bilinearly to pixels, and crop the padding."""
    full = F.interpolate(logits, scale_factor=stride, mode="bilinear", align_corners=False)
    return full[..., : size[0], : size[1]]


def frozen_view(encoder: Encoder) -> Encoder:
    """Copy an encoder's structure and share its tensors, which are frozen.

    Two views can then have different adapters on one set of weights. Gradients reach both in one
    backward pass, and no switch selects the active adapter.
    """
    encoder.requires_grad_(False)
    shared = {id(tensor): tensor for tensor in (*encoder.parameters(), *encoder.buffers())}
    return copy.deepcopy(encoder, shared)
