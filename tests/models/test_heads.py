from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from transformers import Sam2Model
from transformers.models.sam2.modeling_sam2 import Sam2MaskDecoder

from samantic.models import MaskHead, Pyramid, load_sam2
from samantic.models import heads as heads_module
from samantic.models.encoders.encoder import position_grid


@pytest.fixture(scope="module")
def sam() -> Sam2Model:
    torch.manual_seed(1)
    return load_sam2("random-micro").eval()


def pyramid(batch: int, height: int, width: int) -> Pyramid:
    return Pyramid(
        torch.randn(batch, 4, 4 * height, 4 * width),
        torch.randn(batch, 8, 2 * height, 2 * width),
        torch.randn(batch, 32, height, width),
    )


def test_equals_sam2_on_the_shared_path(sam: Sam2Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """With three classes and no noise, our logits are SAM2's three masks of an empty prompt."""
    monkeypatch.setattr(heads_module, "CLASS_NOISE", 0.0)
    head = MaskHead(sam, 3).eval()
    features = pyramid(2, 4, 4)
    prompt = sam.prompt_encoder
    points, labels = torch.zeros(2, 1, 1, 2), -torch.ones(2, 1, 1, dtype=torch.int32)
    sparse, dense = prompt(points, labels, None, None)
    decoder: Sam2MaskDecoder = sam.mask_decoder
    with torch.no_grad():
        expected = decoder(
            image_embeddings=features.semantic,
            image_positional_embeddings=position_grid(head.positional, features.semantic),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense[..., :4, :4],
            multimask_output=True,
            high_resolution_features=[features.fine, features.intermediate],
        )[0][:, 0]
        torch.testing.assert_close(head(features), expected)


def test_positional_grid_is_sam2s_where_sam2_has_one(sam: Sam2Model) -> None:
    head = MaskHead(sam, 2)
    expected = sam.get_image_wide_positional_embeddings()
    size = sam.prompt_encoder.image_embedding_size
    torch.testing.assert_close(
        position_grid(head.positional, torch.zeros(1, 32, *size)), expected, rtol=1e-5, atol=1e-4
    )


def test_logits_are_the_dot_product_of_token_and_pixel(sam: Sam2Model) -> None:
    head = MaskHead(sam, 4).eval()
    features = pyramid(1, 2, 3)
    inside: dict[str, torch.Tensor] = {}
    decoder = head.decoder
    decoder.transformer.register_forward_hook(
        lambda module, args, out: inside.update(tokens=out[0], image=out[1])
    )
    logits = head(features)
    image = inside["image"].transpose(2, 3).reshape(1, 32, 2, 3)
    u1 = F.gelu(decoder.upscale_layer_norm(decoder.upscale_conv1(image) + features.intermediate))
    u2 = F.gelu(decoder.upscale_conv2(u1) + features.fine)
    for k in range(4):
        token = inside["tokens"][0, 0, 2 + 1 + k]  # after object score, IoU and mask token 0
        kernel = decoder.output_hypernetworks_mlps[1 + k](token)
        torch.testing.assert_close(logits[0, k], torch.einsum("c,chw->hw", kernel, u2[0]))


@pytest.mark.parametrize("classes", [1, 2, 9])
def test_class_tokens_start_near_sam2s(sam: Sam2Model, classes: int) -> None:
    head = MaskHead(sam, classes)
    ours, theirs = head.decoder.mask_tokens.weight, sam.mask_decoder.mask_tokens.weight
    assert ours.shape[0] == classes + 1
    assert torch.equal(ours[0], theirs[0])
    for j in range(1, classes + 1):
        distance = (ours[j] - theirs[1 + (j - 1) % 3]).std() / theirs.std()
        assert 0 < distance < 0.3
    assert not any(p.requires_grad for p in head.decoder.output_hypernetworks_mlps[0].parameters())
    assert torch.equal(head.not_a_point, sam.prompt_encoder.not_a_point_embed.weight)


@torch.no_grad()
def test_mlps_of_the_classes_start_near_sam2s(sam: Sam2Model) -> None:
    """Each differs from SAM2's by noise of a tenth of the spread of each of its tensors."""
    ours = MaskHead(sam, 7).decoder.output_hypernetworks_mlps
    theirs = sam.mask_decoder.output_hypernetworks_mlps
    for j in range(1, 8):
        pairs = zip(ours[j].parameters(), theirs[1 + (j - 1) % 3].parameters(), strict=True)
        distances = [float((p - q).std() / q.std()) for p, q in pairs if q.numel() > 100]
        assert distances
        assert distances == pytest.approx([0.1] * len(distances), rel=0.3)


def test_frozen_transformer(sam: Sam2Model) -> None:
    head = MaskHead(sam, 3, train_transformer=False)
    trained = {name for name, p in head.named_parameters() if p.requires_grad}
    assert not any(".transformer." in name for name in trained)
    assert {"decoder.mask_tokens.weight", "decoder.conv_s0.weight"} <= trained
    assert any(
        ".transformer." in n for n, p in MaskHead(sam, 3).named_parameters() if p.requires_grad
    )
