"""The small trunk of sam-nano."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from efficientnet_lite_pytorch import EfficientNet
from transformers.models.sam2.modeling_sam2 import Sam2MultiScaleBlock

from samantic.config import AdaptConfig
from samantic.models import SARTM, QVLoRA, load_sam2
from samantic.models.encoders.bases import LITE
from samantic.models.encoders.efficientnet import imagenet_weights
from samantic.models.encoders.encoder import normalise
from samantic.models.encoders.lite_trunk import LiteTrunk


@pytest.fixture(scope="module")
def trunk() -> LiteTrunk:
    torch.manual_seed(0)
    built = load_sam2(LITE).vision_encoder.backbone
    assert isinstance(built, LiteTrunk)
    return built.eval()


@torch.no_grad()
def test_it_starts_as_efficientnet(trunk: LiteTrunk) -> None:
    """From the stem on, the package's own network with its batch norms gives the same maps."""
    own = EfficientNet.from_name(LITE).eval()
    own.load_state_dict(imagenet_weights(LITE))
    x = trunk.activation(trunk.stem(torch.randn(2, 3, 96, 128)))
    expected, maps = x, []
    for index, block in enumerate(own._blocks):
        expected = block(expected)
        if index in (2, 4, 10, 15):
            maps.append(expected)
    for stage, wanted in zip(trunk.stages, maps, strict=True):
        tokens = stage(x)
        x = tokens.permute(0, 3, 1, 2)
        torch.testing.assert_close(x, wanted, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_its_stem_reads_what_sam2_reads(trunk: LiteTrunk) -> None:
    """Away from the borders, whose padding is a gray pixel there and a mean one here."""
    own = EfficientNet.from_name(LITE).eval()
    own.load_state_dict(imagenet_weights(LITE))
    image = torch.rand(1, 3, 64, 64)
    expected = own._bn0(own._conv_stem((255 * image - 127) / 128))
    ours = trunk.stem(normalise(image))
    torch.testing.assert_close(ours[..., :-1, :-1], expected[..., :-1, :-1], rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_its_maps_are_normalised_and_of_each_image_alone(trunk: LiteTrunk) -> None:
    images = torch.randn(2, 3, 64, 96)
    both, alone = trunk(images), trunk(images[1:])
    for stride, width, together, single in zip(
        (4, 8, 16, 32),
        (24, 40, 112, 320),
        both.intermediate_hidden_states,
        alone.intermediate_hidden_states,
        strict=True,
    ):
        assert together.shape == (2, 64 // stride, 96 // stride, width)
        torch.testing.assert_close(together[1:], single, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(together, F.layer_norm(together, (width,)), rtol=0.02, atol=0.02)


def test_every_block_of_hiera_learns(trunk: LiteTrunk) -> None:
    blocks = [m for m in trunk.modules() if isinstance(m, Sam2MultiScaleBlock)]
    assert [block.window_size for block in blocks] == [8, 8, 0, 0, 0]
    maps = trunk(torch.randn(1, 3, 64, 64)).intermediate_hidden_states
    torch.stack([m.square().mean() * m[0, 0, 0, 0] for m in maps]).sum().backward()
    for block in blocks:
        assert block.attn.proj.weight.grad.abs().sum() > 0
        assert block.mlp.proj_out.weight.grad.abs().sum() > 0


def test_it_is_written_and_read_back(tmp_path: Path) -> None:
    sam = load_sam2(LITE)
    sam.save_pretrained(tmp_path)
    loaded = load_sam2(str(tmp_path)).state_dict()
    for name, tensor in sam.state_dict().items():
        assert torch.equal(loaded[name], tensor), name


def test_sartm_adapts_its_queries_and_values() -> None:
    network = SARTM(load_sam2(LITE), 3, adapt=AdaptConfig("lora", rank=4))
    for modality in ("rgb", "thermal"):
        adapted = [m for m in network.encoders[modality].modules() if isinstance(m, QVLoRA)]
        assert [m.qkv.in_features for m in adapted] == [24, 40, 112, 112, 320]
        assert not any(m.qkv.weight.requires_grad for m in adapted)
    assert network(torch.rand(1, 3, 40, 72), torch.rand(1, 1, 40, 72)).logits.shape == (
        1,
        3,
        40,
        72,
    )
