"""Random bases of each encoder family, small enough for tests."""

from __future__ import annotations

from typing import Any

import torch
from transformers import Sam3TrackerConfig, Sam3TrackerModel

from samantic.models.pretrained import reset_weights


def sam3_config(size: int = 112) -> Sam3TrackerConfig:
    """SAM3's layout with patches of 14 pixels, one block of windows and one of all patches."""
    side = size // 14
    vision: dict[str, Any] = {
        "model_type": "sam3_vision_model",
        "backbone_config": {
            "model_type": "sam3_vit_model",
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": size,
            "patch_size": 14,
            "window_size": 2,
            "global_attn_indexes": [1],
            "pretrain_image_size": 56,
        },
        "fpn_hidden_size": 32,
        "backbone_feature_sizes": [[4 * side] * 2, [2 * side] * 2, [side] * 2],
        "scale_factors": [4.0, 2.0, 1.0],
    }
    prompts = {"hidden_size": 32, "image_size": size, "patch_size": 14}
    decoder = {"hidden_size": 32, "mlp_dim": 64, "iou_head_hidden_dim": 32}
    config = Sam3TrackerConfig(
        vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder
    )
    config._attn_implementation = "sdpa"
    return config


@torch.no_grad()
def sam3(size: int = 112) -> Sam3TrackerModel:
    """A random SAM3 tracker whose constants all matter."""
    model = Sam3TrackerModel(sam3_config(size)).eval()
    reset_weights(model)
    torch.nn.init.normal_(model.no_memory_embedding)
    one, twin = (
        model.shared_image_embedding.positional_embedding,
        model.prompt_encoder.shared_embedding.positional_embedding,
    )
    twin.copy_(one)
    return model
