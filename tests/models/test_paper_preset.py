"""The paper's preset at its true size, counted on the meta device: no memory, no weights."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from transformers import Sam2Config, Sam2Model

from samantic.config.read import read_config
from samantic.models import SARTM

CONFIGS = Path(__file__).parents[2] / "configs"


def base_plus() -> Sam2Model:
    """The architecture of SAM2 Hiera base+ (METHOD: 2, 3, 16, 3 blocks, widths from 112)."""
    config = Sam2Config(
        vision_config={
            "backbone_config": {
                "model_type": "sam2_hiera_det_model",
                "hidden_size": 112,
                "num_attention_heads": 2,
                "embed_dim_per_stage": [112, 224, 448, 896],
                "blocks_per_stage": [2, 3, 16, 3],
                "num_attention_heads_per_stage": [2, 4, 8, 16],
                "global_attention_blocks": [12, 16, 20],
                "window_positional_embedding_background_size": [14, 14],
            },
            "backbone_channel_list": [896, 448, 224, 112],
        }
    )
    with torch.device("meta"):
        return Sam2Model(config)


@pytest.fixture(scope="module")
def network() -> SARTM:
    config = read_config(CONFIGS / "mfnet_paper.yaml")
    model = config.model
    assert config.loss.language == 100
    assert config.loss.prototype == 10000
    assert config.loss.auxiliary == 0.008
    with torch.device("meta"):
        return SARTM(
            base_plus(), 9, fusion=model.fusion, auxiliary=model.auxiliary, decoder=model.decoder,
            adapt=config.adapt,
        )  # fmt: skip


def test_size_of_the_base() -> None:
    vision = base_plus().vision_encoder
    assert sum(p.numel() for p in vision.parameters()) / 1e6 == pytest.approx(69.1, abs=0.1)


def test_lora_has_663040_parameters_per_modality(network: SARTM) -> None:
    for modality in ("rgb", "thermal"):
        trained = {
            n: p for n, p in network.encoders[modality].named_parameters() if p.requires_grad
        }
        assert {name.rsplit(".", 1)[1] for name in trained} == {"a_q", "b_q", "a_v", "b_v"}
        assert len(trained) == 4 * 24  # every block
        assert sum(p.numel() for p in trained.values()) == 663_040


def test_what_the_preset_trains(network: SARTM) -> None:
    """LoRA, fusion, auxiliary head, and of the mask decoder all but its transformer and MLP 0."""
    trained = Counter(
        ".".join(name.split(".")[:3] if name.startswith("mask_head") else name.split(".")[:1])
        for name, p in network.named_parameters()
        if p.requires_grad
    )
    assert set(trained) == {
        "encoders",
        "fusion",
        "auxiliary_head",
        "mask_head.decoder.iou_token",
        "mask_head.decoder.mask_tokens",
        "mask_head.decoder.obj_score_token",
        "mask_head.decoder.upscale_conv1",
        "mask_head.decoder.upscale_conv2",
        "mask_head.decoder.upscale_layer_norm",
        "mask_head.decoder.output_hypernetworks_mlps",
        "mask_head.decoder.conv_s0",
        "mask_head.decoder.conv_s1",
    }
    frozen = {name for name, p in network.named_parameters() if not p.requires_grad}
    assert any("decoder.transformer" in name for name in frozen)
    assert any("output_hypernetworks_mlps.0." in name for name in frozen)
    assert {"mask_head.not_a_point", "mask_head.no_mask"} <= frozen
    total = sum(p.numel() for p in network.parameters() if p.requires_grad)
    assert total < 0.1 * sum(p.numel() for p in network.parameters())
