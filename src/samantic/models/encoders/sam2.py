"""SAM2's parts: loading them completely, and viewing one image encoder from two modalities.

Source of the architecture: Ravi et al., SAM 2 (arXiv 2408.00714), as implemented by transformers.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import Sam2Config, Sam2Model, Sam2VisionModel
from transformers.models.sam2.modeling_sam2 import Sam2MaskDecoder

from samantic.errors import InputError
from samantic.models.encoders.bases import LITE, LITE_WIDTH, RANDOM_BASES, SHIPPED_BASES, is_random
from samantic.models.encoders.lite_trunk import MEAN, STD, TRUNK, LiteTrunk, LiteTrunkConfig
from samantic.models.hub import locate
from samantic.models.pretrained import load_pretrained, refuse_incomplete, reset_weights
from samantic.models.pyramid import Pyramid

STRIDE = 32
"""Height and width of an image must be multiples of this many pixels inside the encoder."""


POSITIONS = (
    "shared_image_embedding.positional_embedding",
    "prompt_encoder.shared_embedding.positional_embedding",
)
"""One table under two names: where a feature is and where a prompt is must agree. Some checkpoints
hold it once."""


def load_sam2(base: str) -> Sam2Model:
    """Load SAM2, or build a random one.

    Args:
        base: Hub id, local folder, a key of `SHIPPED_BASES` or of `RANDOM_BASES`, or `LITE`. One of
            the `POSITIONS` may be missing.

    Raises:
        InputError: The base cannot be reached or read, or lacks a tensor.
    """
    if is_random(base):
        return _random_model(base)
    if base.startswith("random-"):
        raise InputError(f"base {base}: unknown; the built-in ones are {', '.join(RANDOM_BASES)}")
    names = (*SHIPPED_BASES, *RANDOM_BASES, LITE)
    cure = "offline, give a folder with its config.json and model.safetensors, or use sam-nano"
    folder = str(SHIPPED_BASES.get(base) or locate(base, "base", cure, names))
    try:
        model, missing = load_pretrained(Sam2Model, folder, attn_implementation="sdpa")
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"base {base}: not a SAM2 folder ({reason}); it needs config.json and weights"
        ) from None
    missing = _share_positions(model, missing)
    refuse_incomplete(base, missing, "SAM2 checkpoint such as facebook/sam2.1-hiera-tiny")
    return model


@torch.no_grad()
def _share_positions(model: Sam2Model, missing: set[str]) -> set[str]:
    """Take the positional table that a checkpoint lacks from its twin; what it lacks besides."""
    absent = missing & set(POSITIONS)
    if len(absent) != 1:
        return missing
    name = absent.pop()
    state = model.state_dict()
    for twin in set(POSITIONS) - {name}:
        state[name].copy_(state[twin])
    return missing - {name}


def _random_model(name: str) -> Sam2Model:
    """Random weights, see `reset_weights`; the trunk's may be ImageNet's."""
    model = Sam2Model(_lite_config() if name == LITE else _random_config(name))
    reset_weights(model)
    if isinstance(model.vision_encoder.backbone, LiteTrunk):
        model.vision_encoder.backbone.start_from_imagenet()
    _share_positions(model, {POSITIONS[1]})
    return model


def _random_config(name: str) -> Sam2Config:
    shape = RANDOM_BASES[name]
    trunk = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": shape.widths[0],
        "embed_dim_per_stage": list(shape.widths),
        "blocks_per_stage": list(shape.blocks),
        "global_attention_blocks": list(shape.global_blocks),
        "window_size_per_stage": list(shape.windows),
    }
    return _config(trunk, shape.width)


def _lite_config() -> Sam2Config:
    return _config({"model_type": LiteTrunkConfig.model_type, **TRUNK}, LITE_WIDTH)


def _config(trunk: dict[str, Any], width: int) -> Sam2Config:
    """SAM2 on a trunk, with a feature pyramid and a decoder of a width."""
    config = Sam2Config(
        vision_config={
            "backbone_config": trunk,
            "backbone_channel_list": trunk["embed_dim_per_stage"][::-1],
            "fpn_hidden_size": width,
        },
        prompt_encoder_config={"hidden_size": width},
        mask_decoder_config={
            "hidden_size": width,
            "mlp_dim": 4 * width,
            "iou_head_hidden_dim": width,
        },
    )
    config._attn_implementation = "sdpa"
    return config


class ImageEncoder(nn.Module):
    """SAM2's trunk (Hiera) and neck (FPN) as one modality sees them.

    Shape: (N, 3, H, W) normalised images, H and W multiples of 32, to three maps of width D at
    strides 4, 8 and 16; SAM2's no-memory embedding is added to the last, as its image path does.
    """

    def __init__(self, sam: Sam2Model) -> None:
        super().__init__()
        self.vision: Sam2VisionModel = sam.vision_encoder
        self.vision.neck.position_encoding = _NoPositions()
        self.no_memory_embedding = sam.no_memory_embedding

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        stride4, stride8, stride16 = self.vision(images).fpn_hidden_states
        return stride4, stride8, stride16 + self.no_memory_embedding.view(1, -1, 1, 1)


class _NoPositions(nn.Module):
    """In place of the sine maps that SAM2's neck adds to its memory: here nothing reads them."""

    def forward(self, shape: torch.Size, device: torch.device, dtype: torch.dtype) -> Tensor:
        return torch.empty((0, 0, 0, 0), device=device, dtype=dtype)


def normalise(images: Tensor) -> Tensor:
    """(N, 3, H, W) in [0, 1] by ImageNet's mean and deviation, as SAM2 was trained."""
    mean, std = (
        torch.tensor(values, device=images.device, dtype=images.dtype).view(1, 3, 1, 1)
        for values in (MEAN, STD)
    )
    return (images - mean) / std


def position_grid(positional: nn.Module, semantic: Tensor) -> Tensor:
    """SAM2's positional grid for the actual (N, D, h, w), normalised per axis: (N, D, h, w)."""
    batch, _, height, width = semantic.shape
    device = semantic.device
    y = (torch.arange(height, device=device, dtype=torch.float32) + 0.5) / height
    x = (torch.arange(width, device=device, dtype=torch.float32) + 0.5) / width
    grid = torch.stack([x.expand(height, width), y[:, None].expand(height, width)], dim=-1)
    position: Tensor = positional(grid).permute(2, 0, 1)
    return position.expand(batch, -1, -1, -1)


def encode_pyramid(encoder: nn.Module, decoder: Sam2MaskDecoder, images: Tensor) -> Pyramid:
    """Normalise (N, 3, H, W) images in [0, 1], pad them to multiples of 32, and encode them.

    The decoder's 1x1 convolutions reduce the finer two maps.
    """
    height, width = images.shape[-2:]
    padded = F.pad(normalise(images), (0, -width % STRIDE, 0, -height % STRIDE))
    stride4, stride8, stride16 = encoder(padded)
    return Pyramid(decoder.conv_s0(stride4), decoder.conv_s1(stride8), stride16)


def to_image(logits: Tensor, size: tuple[int, ...]) -> Tensor:
    """Stride-4 logits (N, C, h, w) to pixels: bilinear times 4, then the padding is cut off."""
    full = F.interpolate(logits, scale_factor=4.0, mode="bilinear", align_corners=False)
    return full[..., : size[0], : size[1]]


def frozen_view(module: nn.Module) -> nn.Module:
    """Copy a module's structure and share its tensors, which are frozen.

    Two views can then carry different adapters over one set of weights, without a switch that says
    whose turn it is: gradients reach both in one backward pass.
    """
    module.requires_grad_(False)
    shared = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
    return copy.deepcopy(module, shared)
