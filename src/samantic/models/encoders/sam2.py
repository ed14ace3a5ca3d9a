"""SAM2: loading it completely, and its parts.

Source of the architecture: Ravi et al., SAM 2 (arXiv 2408.00714), as implemented by transformers.
"""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, Sam2Config, Sam2Model
from transformers.models.sam2.modeling_sam2 import Sam2MultiScaleAttention

from samantic.errors import InputError
from samantic.models.encoders.bases import LITE, LITE_WIDTH, RANDOM_BASES, SHIPPED_BASES, is_random
from samantic.models.encoders.encoder import Base, Encoder, Family, Projection
from samantic.models.encoders.lite_trunk import TRUNK, LiteTrunk, LiteTrunkConfig
from samantic.models.hub import locate
from samantic.models.pretrained import load_pretrained, refuse_incomplete, reset_weights

Model = TypeVar("Model", bound=PreTrainedModel)

POSITIONS = (
    "shared_image_embedding.positional_embedding",
    "prompt_encoder.shared_embedding.positional_embedding",
)
"""Two names of one positional table: image features and prompts must use the same positions. Some
checkpoints store it once."""


def load_sam2(base: str) -> Sam2Model:
    """Load SAM2, or build a random one.

    Args:
        base: Hub id, local folder, a key of `SHIPPED_BASES` or of `RANDOM_BASES`, or `LITE`. One of
            the two `POSITIONS` may be missing in its files.

    Raises:
        InputError: The base cannot be reached or read, or lacks a tensor.
    """
    if is_random(base):
        return _random_model(base)
    if base.startswith("random-"):
        raise InputError(f"base {base}: unknown; the built-in ones are {', '.join(RANDOM_BASES)}")
    return load_complete(Sam2Model, base, "SAM2", "facebook/sam2.1-hiera-tiny")


def load_complete(kind: type[Model], base: str, name: str, example: str) -> Model:
    """Load a promptable network of transformers in which no tensor is missing.

    Args:
        kind: Its class.
        base: Hub id, local folder, or a key of `SHIPPED_BASES`.
        name: Name of the family, for messages.
        example: A hub id of the family, for messages.

    Raises:
        InputError: The base cannot be reached or read, or lacks a tensor.
    """
    names = (*SHIPPED_BASES, *RANDOM_BASES, LITE)
    cure = "offline, give a folder with its config.json and model.safetensors, or use sam-nano"
    folder = str(SHIPPED_BASES.get(base) or locate(base, "base", cure, names))
    try:
        model, missing = load_pretrained(kind, folder, attn_implementation="sdpa")
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"base {base}: not a {name} folder ({reason}); it needs config.json and weights"
        ) from None
    missing = _share_positions(model, missing)
    refuse_incomplete(base, missing, f"{name} checkpoint such as {example}")
    return model


@torch.no_grad()
def _share_positions(model: PreTrainedModel, missing: set[str]) -> set[str]:
    """Copy a missing positional table from its other name; return what is still missing."""
    absent = missing & set(POSITIONS)
    if len(absent) != 1:
        return missing
    name = absent.pop()
    state = model.state_dict()
    for twin in set(POSITIONS) - {name}:
        state[name].copy_(state[twin])
    return missing - {name}


def _random_model(name: str) -> Sam2Model:
    """A SAM2 with random weights, see `reset_weights`; its trunk may have ImageNet weights."""
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
    """A config of SAM2 for a trunk, with the width of the feature pyramid and of the decoder."""
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


class ImageEncoder(Encoder):
    """SAM2's trunk (Hiera) and neck (FPN) for one modality.

    Shape: (N, 3, H, W) normalised images, H and W multiples of 32, to three maps of width D at
    strides 4, 8 and 16. SAM2's no-memory embedding is added to the last, as in its image path.
    """

    multiple = 32
    strides = (4.0, 8.0, 16.0)
    attention: ClassVar[tuple[type[nn.Module], tuple[str, ...]]] = (
        Sam2MultiScaleAttention,
        ("qkv",),
    )

    def __init__(self, sam: Any) -> None:
        super().__init__()
        self.vision: Any = sam.vision_encoder
        self.vision.neck.position_encoding = _NoPositions()
        self.no_memory_embedding: nn.Parameter = sam.no_memory_embedding
        self.widths = (sam.hidden_dim,) * 3

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        fine, intermediate, semantic = self.vision(images).fpn_hidden_states
        return fine, intermediate, semantic + self.no_memory_embedding.view(1, -1, 1, 1)

    def lora_targets(self) -> list[Projection]:
        kind, names = self.attention
        blocks = [block for block in self.modules() if isinstance(block, kind)]
        return [Projection(block, name) for block in blocks for name in names]

    def freeze_constants(self) -> None:
        self.no_memory_embedding.requires_grad_(False)


class _NoPositions(nn.Module):
    """Replaces the sine maps that SAM2's neck computes for its memory, which is not used here."""

    def forward(self, shape: torch.Size, device: torch.device, dtype: torch.dtype) -> Tensor:
        return torch.empty((0, 0, 0, 0), device=device, dtype=dtype)


def sam_parts(sam: Any, encoder: Encoder) -> Base:
    """The `Base` of a network of transformers with SAM2's names of parts, and its encoder."""
    loaded = bool(sam.name_or_path)
    return Base(encoder, sam.mask_decoder, sam.prompt_encoder, sam.shared_image_embedding, loaded)


SAM2 = Family(load_sam2, lambda sam: sam_parts(sam, ImageEncoder(sam)))
