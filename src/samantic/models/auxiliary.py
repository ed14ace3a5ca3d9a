"""Auxiliary heads: a second prediction from the pyramid (SARTM III-D, eq 10; Table VIII).

All heads map a pyramid to logits (N, K, H/4, W/4). GroupNorm lets them work at batch size 1.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from samantic.models.pyramid import Pyramid

GROUPS = 8


def build_auxiliary(
    kind: Literal["fpn", "deeplab", "segformer", "none"], width: int, num_classes: int
) -> nn.Module | None:
    """Build an auxiliary head for pyramids of width D; None for `none`."""
    match kind:
        case "fpn":
            return AuxiliaryHead(width, num_classes)
        case "deeplab":
            return DeepLabHead(width, num_classes)
        case "segformer":
            return SegFormerHead(width, num_classes)
        case "none":
            return None


class AuxiliaryHead(nn.Module):
    """A feature pyramid head: f = Up(Up(semantic) + Conv1x1(intermediate)) + Conv1x1(fine).

    Args:
        width: Width D of the semantic map.
        num_classes: Classes K.

    Shape: a pyramid to logits Conv3x3(f), (N, K, H/4, W/4).
    """

    def __init__(self, width: int, num_classes: int) -> None:
        super().__init__()
        self.intermediate = nn.Conv2d(width // 4, width, 1)
        self.fine = nn.Conv2d(width // 8, width, 1)
        self.classify = nn.Conv2d(width, num_classes, 3, padding=1)

    def forward(self, features: Pyramid) -> Tensor:
        merged = self.intermediate(features.intermediate)
        merged = merged + resize(features.semantic, merged)
        final = self.fine(features.fine)
        final = final + resize(merged, final)
        logits: Tensor = self.classify(final)
        return logits


class DeepLabHead(nn.Module):
    """Atrous spatial pyramid pooling of the semantic map (DeepLabv3, arXiv 1706.05587).

    A 1x1 convolution, 3x3 convolutions of dilation 6, 12 and 18, and the mean over the image are
    concatenated and projected; the result is upsampled bilinearly to stride 4. The finer maps are
    not used.

    Args:
        width: Width D of the semantic map.
        num_classes: Number of classes K.
    """

    def __init__(self, width: int, num_classes: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            [_conv(width, width, 1), *(_conv(width, width, 3, dilation=d) for d in (6, 12, 18))]
        )
        self.pool = nn.Sequential(nn.Conv2d(width, width, 1), nn.ReLU())
        self.project = _conv(5 * width, width, 1)
        self.classify = nn.Conv2d(width, num_classes, 1)

    def forward(self, features: Pyramid) -> Tensor:
        x = features.semantic
        mean = self.pool(x.mean(dim=(2, 3), keepdim=True)).expand_as(x)
        merged = self.project(torch.cat([*(branch(x) for branch in self.branches), mean], dim=1))
        return resize(self.classify(merged), features.fine)


class SegFormerHead(nn.Module):
    """All maps projected to one width and stride 4, concatenated and mixed (SegFormer, 2105.15203).

    Args:
        width: Width D of the semantic map.
        num_classes: Number of classes K.
    """

    def __init__(self, width: int, num_classes: int) -> None:
        super().__init__()
        self.linear = nn.ModuleList(nn.Conv2d(c, width, 1) for c in (width // 8, width // 4, width))
        self.mix = _conv(3 * width, width, 1)
        self.classify = nn.Conv2d(width, num_classes, 1)

    def forward(self, features: Pyramid) -> Tensor:
        maps = [
            resize(linear(x), features.fine)
            for linear, x in zip(self.linear, features, strict=True)
        ]
        logits: Tensor = self.classify(self.mix(torch.cat(maps, dim=1)))
        return logits


def resize(x: Tensor, like: Tensor) -> Tensor:
    """Bilinear interpolation of (N, C, h, w) to the height and width of `like`."""
    return F.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=False)


def _conv(inside: int, outside: int, kernel: int, dilation: int = 1) -> nn.Sequential:
    """Convolution that keeps the size, GroupNorm, ReLU."""
    padding = dilation * (kernel // 2)
    return nn.Sequential(
        nn.Conv2d(inside, outside, kernel, padding=padding, dilation=dilation, bias=False),
        nn.GroupNorm(GROUPS, outside),
        nn.ReLU(),
    )
