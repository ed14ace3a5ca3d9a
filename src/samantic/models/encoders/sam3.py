"""SAM3's tracker as a base: its parts have SAM2's names, its trunk is a plain ViT.

Source of the architecture: Carion et al., SAM 3 (arXiv 2511.16719), as implemented by transformers.
The trunk produces one map at the stride of its patches (14 pixels). The neck makes maps at a
quarter and at half of that stride from it. The trunk's attention uses rotary positions.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import Sam3TrackerModel
from transformers.models.sam3.modeling_sam3 import Sam3ViTLayer, Sam3ViTRoPEAttention

from samantic.errors import InputError
from samantic.models.encoders.encoder import Family
from samantic.models.encoders.sam2 import ImageEncoder, load_complete, sam_parts

SCALES = [4.0, 2.0, 1.0]
"""How many times finer the three maps of the neck are than the trunk's map."""


def load_sam3(base: str) -> Sam3TrackerModel:
    """Load SAM3's tracker.

    Args:
        base: Hub id or local folder.

    Raises:
        InputError: The base cannot be reached or read, lacks a tensor, or has another neck.
    """
    sam = load_complete(Sam3TrackerModel, base, "SAM3", "facebook/sam3")
    scales, patch = sam.vision_encoder.config.scale_factors[:3], _patch(sam)
    if scales != SCALES or patch % 2:
        raise InputError(
            f"base {base}: its maps are {scales} times as fine as its patches of {patch} pixels; "
            f"give a SAM3 with {SCALES} and even patches, such as facebook/sam3"
        )
    return sam


def _patch(sam: Any) -> int:
    """Side of a patch in pixels."""
    size = sam.vision_encoder.config.backbone_config.patch_size
    return int(size if isinstance(size, int) else size[0])


class Sam3Encoder(ImageEncoder):
    """SAM3's trunk and neck for one modality.

    Shape: (N, 3, H, W) normalised images, H and W multiples of a patch's side s, to three maps of
    width D at strides s/4, s/2 and s, with the no-memory embedding added to the last.
    """

    mean = std = (0.5, 0.5, 0.5)
    attention: ClassVar[tuple[type[nn.Module], tuple[str, ...]]] = (
        Sam3ViTRoPEAttention,
        ("q_proj", "v_proj"),
    )

    def __init__(self, sam: Any) -> None:
        super().__init__(sam)
        self.multiple = patch = _patch(sam)
        self.strides = (patch / 4, patch / 2, float(patch))
        neck: Any = self.vision.neck
        neck.fpn_layers = neck.fpn_layers[:3]  # the coarser map is not used
        for layer in self.vision.modules():
            if isinstance(layer, Sam3ViTLayer) and layer.window_size == 0:
                layer.rotary_emb = _AnyGrid(layer)  # type: ignore[assignment]


class _AnyGrid(nn.Module):
    """Rotary positions for any grid, with the step of the grid in training.

    transformers stores the positions of one grid, and cannot read images of another size.

    Shape: tokens (N, h, w, D) to cosines and sines, (h w, D / heads) each.
    """

    def __init__(self, layer: Sam3ViTLayer) -> None:
        super().__init__()
        self.rotary = layer.rotary_emb
        size, patch = layer.config.image_size, layer.config.patch_size
        width = size if isinstance(size, int) else size[0]
        side = patch if isinstance(patch, int) else patch[0]
        self.step = layer.config.window_size / (width // side)

    def forward(self, tokens: Tensor, position_ids: Tensor) -> tuple[Tensor, Tensor]:
        height, width = tokens.shape[1:3]
        y, x = torch.meshgrid(
            torch.arange(height, device=tokens.device),
            torch.arange(width, device=tokens.device),
            indexing="ij",
        )
        places = torch.stack([x.flatten(), y.flatten()], dim=-1) * self.step
        turns: tuple[Tensor, Tensor] = self.rotary(tokens, places)
        return turns


SAM3 = Family(load_sam3, lambda sam: sam_parts(sam, Sam3Encoder(sam)))
