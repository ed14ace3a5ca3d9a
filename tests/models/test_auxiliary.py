from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from samantic.models import AuxiliaryHead, Pyramid
from samantic.models.auxiliary import DeepLabHead, SegFormerHead, build_auxiliary


@pytest.fixture
def features() -> Pyramid:
    return Pyramid(torch.randn(2, 4, 8, 12), torch.randn(2, 8, 4, 6), torch.randn(2, 32, 2, 3))


def test_fpn_equals_its_formula(features: Pyramid) -> None:
    head = AuxiliaryHead(32, 5)

    def up(x: torch.Tensor) -> torch.Tensor:
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)

    def conv1(layer: torch.nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
        weight = layer.weight[:, :, 0, 0]
        return torch.einsum("oc,nchw->nohw", weight, x) + layer.bias[None, :, None, None]  # type: ignore[index]

    merged = up(features.semantic) + conv1(head.intermediate, features.intermediate)
    final = up(merged) + conv1(head.fine, features.fine)
    expected = F.conv2d(final, head.classify.weight, head.classify.bias, padding=1)
    torch.testing.assert_close(head(features), expected, rtol=1e-4, atol=1e-5)


def test_deeplab_equals_its_formula(features: Pyramid) -> None:
    head = DeepLabHead(32, 5)
    x = features.semantic
    parts = []
    for branch, dilation in zip(head.branches, (0, 6, 12, 18), strict=True):
        conv, norm = branch[0], branch[1]  # type: ignore[index]
        y = F.conv2d(x, conv.weight, padding=dilation, dilation=max(1, dilation))
        parts.append(F.group_norm(y, 8, norm.weight, norm.bias).relu())
    weight, bias = head.pool[0].weight[:, :, 0, 0], head.pool[0].bias
    mean = F.relu(x.flatten(2).mean(2) @ weight.T + bias)  # type: ignore[operator]
    parts.append(mean[:, :, None, None].expand_as(x))
    merged = head.project(torch.cat(parts, dim=1))
    expected = F.interpolate(head.classify(merged), size=(8, 12), mode="bilinear")
    torch.testing.assert_close(head(features), expected, rtol=1e-4, atol=1e-5)


def test_segformer_equals_its_formula(features: Pyramid) -> None:
    head = SegFormerHead(32, 5)
    maps = []
    for linear, x in zip(head.linear, features, strict=True):
        y = torch.einsum("oc,nchw->nohw", linear.weight[:, :, 0, 0], x)  # type: ignore[index]
        y = y + linear.bias[None, :, None, None]  # type: ignore[index]
        maps.append(F.interpolate(y, size=(8, 12), mode="bilinear"))
    expected = head.classify(head.mix(torch.cat(maps, dim=1)))
    torch.testing.assert_close(head(features), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["fpn", "deeplab", "segformer"])
def test_batch_size_one_and_gradients(kind: str, features: Pyramid) -> None:
    head = build_auxiliary(kind, 32, 5)  # type: ignore[arg-type]
    assert head is not None
    head.train()
    together = head(features)
    assert together.shape == (2, 5, 8, 12)
    alone = head(Pyramid(*(level[:1] for level in features)))
    torch.testing.assert_close(together[:1], alone, rtol=1e-4, atol=1e-5)
    together.square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in head.parameters())


def test_none_builds_none() -> None:
    assert build_auxiliary("none", 32, 5) is None
