from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from transformers import Sam2Model
from transformers.models.sam2.modeling_sam2 import Sam2MultiScaleAttention

from samantic.config import AdaptConfig
from samantic.errors import InputError
from samantic.models import SARTM, LinearLoRA, QVLoRA, load_sam2
from samantic.models.encoders.encoder import frozen_view
from samantic.models.encoders.lite_trunk import TRUNK, LiteTrunkConfig
from samantic.models.encoders.lora import add_lora
from samantic.models.encoders.sam2 import ImageEncoder, _config


def random_lora(inside: int, outside: int, alpha: float | None = None) -> QVLoRA:
    lora = QVLoRA(nn.Linear(inside, 3 * outside), rank=3, alpha=alpha)
    nn.init.normal_(lora.b_q)
    nn.init.normal_(lora.b_v)
    return lora


@pytest.mark.parametrize(("inside", "outside"), [(8, 8), (8, 16)], ids=["block", "transition"])
@pytest.mark.parametrize("alpha", [None, 12.0])
def test_equals_explicit_low_rank_update(inside: int, outside: int, alpha: float | None) -> None:
    lora = random_lora(inside, outside, alpha)
    scale = 1.0 if alpha is None else alpha / 3
    weight = lora.qkv.weight.detach().clone()
    weight[:outside] += scale * lora.b_q.detach() @ lora.a_q.detach()
    weight[2 * outside :] += scale * lora.b_v.detach() @ lora.a_v.detach()
    x = torch.randn(2, 5, 7, inside)
    expected = x @ weight.T + lora.qkv.bias
    torch.testing.assert_close(lora(x), expected, rtol=1e-5, atol=1e-5)


def test_keys_are_untouched() -> None:
    lora = random_lora(8, 16)
    x = torch.randn(4, 8)
    assert torch.equal(lora(x)[:, 16:32], lora.qkv(x)[:, 16:32])
    assert not torch.allclose(lora(x)[:, :16], lora.qkv(x)[:, :16])


def test_initial_values_leave_the_layer_as_it_is() -> None:
    lora = QVLoRA(nn.Linear(8, 24), rank=4)
    x = torch.randn(4, 8)
    assert torch.equal(lora(x), lora.qkv(x))
    assert lora.a_q.abs().max() <= (1 / 8) ** 0.5  # Kaiming uniform with a = sqrt(5)
    assert lora.a_q.std() > 0


@pytest.mark.parametrize("alpha", [None, 12.0])
def test_merge_and_unmerge(alpha: float | None) -> None:
    lora = random_lora(8, 8, alpha)
    x = torch.randn(4, 8)
    before, base = lora(x), lora.qkv.weight.clone()
    lora.merge()
    torch.testing.assert_close(lora(x), before, rtol=1e-5, atol=1e-5)
    assert torch.equal(lora.qkv.weight, base)
    lora.unmerge()
    assert torch.equal(lora(x), before)


def test_two_views_share_the_trunk_and_learn_apart(make_network: Callable[..., SARTM]) -> None:
    network = make_network("paper", "lora").train()
    rgb, thermal = (network.encoders[name].vision.backbone for name in ("rgb", "thermal"))
    ours, theirs = rgb.blocks[1].attn.qkv, thermal.blocks[1].attn.qkv
    assert ours.qkv.weight is theirs.qkv.weight
    assert ours.a_q is not theirs.a_q
    network(torch.rand(2, 3, 32, 32), torch.rand(2, 1, 32, 32)).logits.square().sum().backward()
    for encoder in (rgb, thermal):
        for name, parameter in encoder.named_parameters():
            if name.endswith(("a_q", "a_v", "b_q", "b_v")):
                assert parameter.grad is not None, name
                assert parameter.grad.abs().sum() > 0, name
            else:
                assert not parameter.requires_grad, name


def test_adapted_encoder_starts_as_sam2_bit_for_bit() -> None:
    encoder = ImageEncoder(load_sam2("random-micro")).eval()
    view = frozen_view(encoder)
    add_lora(view, rank=4)
    adapted = [m for m in view.modules() if isinstance(m, QVLoRA)]
    blocks = [m for m in encoder.modules() if isinstance(m, Sam2MultiScaleAttention)]
    assert len(adapted) == len(blocks) == 5
    images = torch.randn(1, 3, 64, 96)
    for ours, original in zip(view(images), encoder(images), strict=True):
        assert torch.equal(ours, original)


@pytest.mark.parametrize("alpha", [None, 12.0])
def test_a_separate_projection_equals_the_explicit_update(alpha: float | None) -> None:
    """Values and gradients are those of W + α/r B A; merging changes nothing, unmerging all."""
    lora = LinearLoRA(nn.Linear(8, 12), rank=3, alpha=alpha).double()
    nn.init.normal_(lora.b)
    scale = 1.0 if alpha is None else alpha / 3
    a, b = (p.detach().clone().requires_grad_() for p in (lora.a, lora.b))
    x = torch.randn(2, 5, 8, dtype=torch.float64)
    expected = x @ (lora.linear.weight + scale * b @ a).T + lora.linear.bias
    before = lora(x)
    torch.testing.assert_close(before, expected)
    before.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(lora.a.grad, a.grad)
    torch.testing.assert_close(lora.b.grad, b.grad)
    weight = lora.linear.weight.clone()
    lora.merge()
    torch.testing.assert_close(lora(x), before)
    assert torch.equal(lora.linear.weight, weight)
    lora.unmerge()
    assert torch.equal(lora(x), before)


def test_a_new_separate_projection_is_the_layer_itself() -> None:
    lora, x = LinearLoRA(nn.Linear(8, 12), rank=4), torch.randn(4, 8)
    assert torch.equal(lora(x), lora.linear(x))
    assert 0 < lora.a.abs().max() <= (1 / 8) ** 0.5


def test_an_encoder_with_nothing_to_adapt_is_refused() -> None:
    """SAM2 on a trunk without attention: LoRA would train nothing of it, in silence."""
    trunk = {"model_type": LiteTrunkConfig.model_type, **TRUNK, "blocks_per_stage": [0] * 4}
    sam = Sam2Model(_config(trunk, 32))
    with pytest.raises(InputError, match=r"adapt\.method lora: .*set adapt\.method full"):
        SARTM(sam, 3, adapt=AdaptConfig("lora"))
    assert SARTM(sam, 3, adapt=AdaptConfig("full")).encoders["rgb"].lora_targets() == []
