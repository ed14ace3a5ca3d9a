from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from samantic.config.networks import Context
from samantic.models import FeatureFusion, FeatureRectification, Pyramid
from samantic.models.fusion import PyramidFusion, ScaleFusion


def linear(layer: nn.Linear | nn.Conv2d, x: Tensor) -> Tensor:
    """W x + b of a vector, for a Linear or a 1x1 convolution."""
    y = layer.weight.reshape(layer.weight.shape[0], -1) @ x
    return y if layer.bias is None else y + layer.bias


def test_rectification_equals_a_loop_over_pixels() -> None:
    module = FeatureRectification(4).double()
    rgb, thermal = torch.randn(2, 2, 4, 3, 5, dtype=torch.float64).unbind(0)
    out_rgb, out_thermal = module(rgb, thermal)
    mlp_in, _, mlp_out, _ = module.channel
    conv_in, _, conv_out, _ = module.spatial
    for n in range(2):
        flat = torch.cat([rgb[n], thermal[n]]).flatten(1)
        pooled = torch.cat([flat.mean(1), flat.max(1).values])
        channel = linear(mlp_out, linear(mlp_in, pooled).relu()).sigmoid()
        for y in range(3):
            for x in range(5):
                pixel = torch.cat([rgb[n, :, y, x], thermal[n, :, y, x]])
                spatial = linear(conv_out, linear(conv_in, pixel).relu()).sigmoid()
                a, b = rgb[n, :, y, x], thermal[n, :, y, x]
                expected_rgb = a + 0.5 * channel[4:] * b + 0.5 * spatial[1] * b
                expected_thermal = b + 0.5 * channel[:4] * a + 0.5 * spatial[0] * a
                torch.testing.assert_close(out_rgb[n, :, y, x], expected_rgb)
                torch.testing.assert_close(out_thermal[n, :, y, x], expected_thermal)


def explicit_fusion(module: FeatureFusion, rgb: Tensor, thermal: Tensor) -> Tensor:
    """FFM of one pair (C, h, w), pixel by pixel and head by head."""
    channels, height, width = rgb.shape
    size = channels // module.heads
    pixels = [x.flatten(1).T for x in (rgb, thermal)]
    y_maps, u_maps, contexts = [], [], []
    for m in range(2):
        yu = [linear(module.split[m], p).relu() for p in pixels[m]]
        y_maps.append([v[:channels] for v in yu])
        u_maps.append([v[channels:] for v in yu])
        kv = [linear(module.key_value[m], u) for u in u_maps[m]]
        heads = []
        for h in range(module.heads):
            part = slice(h * size, (h + 1) * size)
            scores = sum(torch.outer(v[:channels][part], v[channels:][part]) for v in kv)
            pixel_count = len(kv) if module.context == "mean" else 1
            # over key channels
            heads.append(torch.softmax(scores / math.sqrt(size) / pixel_count, dim=0))
        contexts.append(heads)
    exchanged = []
    for m in range(2):
        rows = []
        for i, pixel in enumerate(pixels[m]):
            u = u_maps[m][i]
            read = [u[h * size : (h + 1) * size] @ contexts[1 - m][h] for h in range(module.heads)]
            joined = linear(module.join[m], torch.cat([y_maps[m][i], *read]))
            rows.append(module.norm[m](pixel + joined))
        exchanged.append(torch.stack(rows).T.reshape(channels, height, width))
    both = torch.cat(exchanged)
    first, depthwise, _, last = module.mix
    hidden = torch.stack([linear(first, p) for p in both.flatten(1).T]).T
    hidden = hidden.reshape(channels, height, width)
    padded = torch.nn.functional.pad(hidden, (1, 1, 1, 1))
    out = torch.zeros_like(hidden)
    for y in range(height):
        for x in range(width):
            window = padded[:, y : y + 3, x : x + 3] * depthwise.weight[:, 0]
            conv = window.sum((1, 2)) + depthwise.bias
            mixed = module.mix_norm(linear(last, conv.relu()))
            out[:, y, x] = module.out_norm(linear(module.residual, both[:, y, x]) + mixed)
    return out


@pytest.mark.parametrize("context", ["sum", "mean"])
@pytest.mark.parametrize("heads", [1, 2, 4])
def test_fusion_equals_a_loop_over_pixels(heads: int, context: Context) -> None:
    module = FeatureFusion(8, heads, context).double()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.4)
    rgb, thermal = torch.randn(2, 2, 8, 3, 4, dtype=torch.float64).unbind(0)
    fused = module(rgb, thermal)
    for n in range(2):
        torch.testing.assert_close(fused[n], explicit_fusion(module, rgb[n], thermal[n]))


def test_a_mean_does_not_depend_on_how_often_an_image_is_repeated() -> None:
    """A sum over four times the pixels has four times the scores."""
    key_value = torch.randn(1, 50, 16)
    for context, alike in (("mean", True), ("sum", False)):
        fuse = FeatureFusion(8, 2, context)  # type: ignore[arg-type]
        once, repeated = fuse._context(key_value), fuse._context(key_value.repeat(1, 4, 1))
        assert torch.allclose(once, repeated, atol=1e-5) == alike


@pytest.mark.parametrize("context", ["sum", "mean"])
def test_gradients_of_both_modules(context: Context) -> None:
    rectify = FeatureRectification(2).double()
    pair = [torch.randn(1, 2, 2, 3, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    assert torch.autograd.gradcheck(lambda a, b: torch.cat(rectify(a, b)), pair)
    fuse = FeatureFusion(4, 2, context).double()
    nn.init.ones_(fuse.out_norm.weight)
    maps = [torch.randn(1, 4, 2, 3, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    assert torch.autograd.gradcheck(fuse, maps)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_context_is_float32_under_autocast(dtype: torch.dtype) -> None:
    """Scores of about 1000 that differ by about 1: half precision would round that away."""
    fuse = FeatureFusion(8, 2)
    key_value = (1 + 0.1 * torch.randn(1, 2000, 16)).to(dtype)
    k, v = (x.view(2000, 2, 4).double() for x in key_value[0].chunk(2, dim=-1))
    scores = torch.einsum("nha,nhb->hab", k, v) / 2
    assert scores.min() > 900
    expected = scores.softmax(dim=1)
    assert expected.std() > 0.05
    with torch.autocast("cpu", dtype):
        context = fuse._context(key_value)
    assert context.dtype == dtype
    torch.testing.assert_close(context[0].double(), expected, rtol=0, atol=0.005)


def test_modules_under_autocast_are_close_to_full_precision() -> None:
    fuse = FeatureFusion(8, 2)
    nn.init.ones_(fuse.out_norm.weight)
    pair = torch.randn(1, 8, 16, 16), torch.randn(1, 8, 16, 16)
    exact = fuse(*pair)
    with torch.autocast("cpu", torch.bfloat16):
        low = fuse(*pair)
    assert (low.float() - exact).abs().mean() < 0.02 * exact.abs().mean()


def test_starts_as_the_plain_average_and_batch_size_does_not_matter() -> None:
    fusion = ScaleFusion(8, 2, exchange=True).train()
    rgb, thermal = torch.randn(2, 3, 8, 4, 4).unbind(0)
    present = torch.ones(3, 2, dtype=torch.bool)
    torch.testing.assert_close(fusion(rgb, thermal, present), (rgb + thermal) / 2)
    assert fusion.fuse is not None
    nn.init.ones_(fusion.fuse.out_norm.weight)
    together = fusion(rgb, thermal, present)
    alone = torch.cat([fusion(rgb[i : i + 1], thermal[i : i + 1], present[:1]) for i in range(3)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_modules_start_from_cmxs_values() -> None:
    """Linear: a deviation of 0.02; 1x1 convolutions: sqrt(2 / outputs); biases 0."""
    for module in (FeatureRectification(64), FeatureFusion(64, 2)):
        for layer in module.modules():
            if isinstance(layer, nn.Linear):
                assert layer.weight.std().item() == pytest.approx(0.02, rel=0.1)
            elif isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1):
                expected = (2 / layer.out_channels) ** 0.5
                assert layer.weight.std().item() == pytest.approx(expected, rel=0.15)
            if isinstance(layer, nn.Linear | nn.Conv2d) and layer.bias is not None:
                assert not layer.bias.any()


def test_the_average_is_weighed_by_the_softmax_of_theta() -> None:
    """Three parts of RGB and one of thermal, where theta is ln 3 and 0."""
    fusion = ScaleFusion(8, 2, exchange=False)
    fusion.theta.data = torch.tensor([math.log(3), 0.0])
    rgb, thermal = torch.randn(2, 3, 8, 4, 4).unbind(0)
    fused = fusion(rgb, thermal, torch.ones(3, 2, dtype=torch.bool))
    torch.testing.assert_close(fused, 0.75 * rgb + 0.25 * thermal)


def test_scales_have_one_two_and_four_heads() -> None:
    """Each scale against the loop over pixels with its own number of heads."""
    fusion = PyramidFusion(32, exchange=True).double()
    scales = (fusion.fine, fusion.intermediate, fusion.semantic)
    for scale, channels, heads in zip(scales, (4, 8, 32), (1, 2, 4), strict=True):
        for parameter in scale.parameters():
            nn.init.normal_(parameter, std=0.4)
        rgb, thermal = torch.randn(2, 1, channels, 2, 3, dtype=torch.float64).unbind(0)
        assert scale.rectify is not None
        assert scale.fuse is not None
        fuse = FeatureFusion(channels, heads).double()
        fuse.load_state_dict(scale.fuse.state_dict())
        first, second = (x[0] for x in scale.rectify(rgb, thermal))
        weight = scale.theta.softmax(0)
        expected = weight[0] * rgb + weight[1] * thermal + explicit_fusion(fuse, first, second)
        found = scale(rgb, thermal, torch.ones(1, 2, dtype=torch.bool))
        torch.testing.assert_close(found, expected)


def test_missing_modality_gives_the_other_ones_map() -> None:
    fusion = PyramidFusion(32, exchange=True)
    for module in fusion.modules():
        if isinstance(module, FeatureFusion):
            nn.init.ones_(module.out_norm.weight)
    rgb, thermal = (
        Pyramid(torch.randn(3, 4, 8, 8), torch.randn(3, 8, 4, 4), torch.randn(3, 32, 2, 2))
        for _ in range(2)
    )
    present = torch.tensor([[True, True], [True, False], [False, True]])
    for fused, a, b in zip(fusion(rgb, thermal, present), rgb, thermal, strict=True):
        assert torch.equal(fused[1], a[1])
        assert torch.equal(fused[2], b[2])
        assert not torch.allclose(fused[0], (a[0] + b[0]) / 2)
