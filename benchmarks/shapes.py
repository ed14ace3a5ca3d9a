"""SAM2.1 in its four sizes, and a CLIP, with random weights in the hub's files.

Memory and time do not depend on the weights.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTokenizer,
    Sam2Config,
    Sam2Model,
    Sam2VideoConfig,
    Sam2VideoModel,
)


@dataclass(frozen=True)
class Shape:
    """Hiera of a SAM2.1: width and heads of its first stage, blocks, windows."""

    width: int
    heads: int
    blocks: tuple[int, int, int, int]
    everywhere: tuple[int, ...]
    windows: tuple[int, int, int, int] = (8, 4, 14, 7)
    background: tuple[int, int] = (7, 7)


MICRO = "micro"
"""A small shape for tests, which is not on the hub."""

SHAPES = {
    "tiny": Shape(96, 1, (1, 2, 7, 2), (5, 7, 9)),
    "small": Shape(96, 1, (1, 2, 11, 2), (7, 10, 13)),
    "base-plus": Shape(112, 2, (2, 3, 16, 3), (12, 16, 20), background=(14, 14)),
    "large": Shape(144, 2, (2, 6, 36, 4), (23, 33, 43), windows=(8, 4, 16, 8)),
    MICRO: Shape(16, 1, (1, 1, 2, 1), (3,)),
}
"""Source: the config.json files of facebook/sam2.1-hiera-*."""


def vision(shape: Shape) -> dict[str, Any]:
    """The `vision_config` of a size."""
    widths = [shape.width * 2**stage for stage in range(4)]
    trunk = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": shape.width,
        "num_attention_heads": shape.heads,
        "blocks_per_stage": list(shape.blocks),
        "embed_dim_per_stage": widths,
        "num_attention_heads_per_stage": [shape.heads * 2**stage for stage in range(4)],
        "window_size_per_stage": list(shape.windows),
        "global_attention_blocks": list(shape.everywhere),
        "window_positional_embedding_background_size": list(shape.background),
    }
    return {"backbone_config": trunk, "backbone_channel_list": widths[::-1]}


def build_sam(shape: Shape) -> Sam2Model:
    """SAM2.1 of a size with random weights."""
    config = Sam2Config(vision_config=vision(shape))
    config._attn_implementation = "sdpa"
    return Sam2Model(config)


def write_sam(folder: Path, shape: Shape) -> None:
    """Write the hub's files of SAM2.1: the network for videos, of which the image part is used."""
    Sam2VideoModel(Sam2VideoConfig(vision_config=vision(shape))).save_pretrained(folder)


def write_clip(folder: Path, small: bool = False) -> None:
    """Write CLIP-ViT-B/32, or a small one, with both towers; its tokenizer knows only letters."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = [*letters, *(f"{c}</w>" for c in letters), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    CLIPTokenizer.from_pretrained(folder, model_max_length=77).save_pretrained(folder)
    ids = {"bos_token_id": 52, "eos_token_id": 53, "pad_token_id": 53}
    less: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    less |= {"num_attention_heads": 2, "projection_dim": 8}
    config = (
        CLIPConfig(text_config=less | ids, vision_config=less, projection_dim=8)
        if small
        else CLIPConfig(text_config=ids)
    )
    CLIPModel(config).save_pretrained(folder)
