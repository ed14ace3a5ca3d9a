"""Fusion of the feature maps of the two modalities (SARTM III-A, III-E; CMX, arXiv 2203.04838).

At every scale s, with w = softmax(θ_s):

    F_s = FFM(FRM(x_rgb, x_thermal)) + w_rgb x_rgb + w_thermal x_thermal

The last layer of FFM starts at zero. At the start F_s is therefore the mean of two maps that SAM2's
decoder was trained on. If a modality is missing, F_s is the other one's map.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from samantic.config.networks import Context
from samantic.models.pyramid import Pyramid


class FeatureRectification(nn.Module):
    """FRM: each modality is rectified by the other, along channels and along pixels.

    An MLP computes channel weights w_c from the average and maximum pooling of both maps. Two 1x1
    convolutions compute spatial weights w_s. All weights pass through a sigmoid; then

        x_rgb' = x_rgb + 0.5 w_c,thermal x_thermal + 0.5 w_s,thermal x_thermal

    and likewise for thermal with RGB.

    Shape: two maps (N, C, h, w) to two maps (N, C, h, w).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channel = nn.Sequential(
            nn.Linear(4 * channels, 4 * channels),
            nn.ReLU(),
            nn.Linear(4 * channels, 2 * channels),
            nn.Sigmoid(),
        )
        self.spatial = nn.Sequential(
            nn.Conv2d(2 * channels, channels, 1), nn.ReLU(), nn.Conv2d(channels, 2, 1), nn.Sigmoid()
        )
        self.apply(_initialise)

    def forward(self, rgb: Tensor, thermal: Tensor) -> tuple[Tensor, Tensor]:
        both = torch.cat([rgb, thermal], dim=1)
        pooled = torch.cat([both.mean(dim=(2, 3)), both.amax(dim=(2, 3))], dim=1)
        channel_rgb, channel_thermal = self.channel(pooled)[:, :, None, None].chunk(2, dim=1)
        spatial_rgb, spatial_thermal = self.spatial(both).chunk(2, dim=1)
        return (
            rgb + 0.5 * (channel_thermal + spatial_thermal) * thermal,
            thermal + 0.5 * (channel_rgb + spatial_rgb) * rgb,
        )


class FeatureFusion(nn.Module):
    """FFM: the modalities exchange a global context and are then mixed into one map.

    For each modality: (y, u) = ReLU(Linear(x)) and (k, v) = Linear(u). The context of a head is
    softmax(kᵀv / sqrt(d)) over the channels of k, and each modality reads the *other's* context
    with its u. kᵀv is a sum over the n pixels and grows with n, until the softmax selects a single
    channel; with `context` mean it is kᵀv / n. cat(y, read) is projected to C channels, with a
    residual and a LayerNorm. The two results are concatenated and mixed by 1x1 and depthwise 3x3
    convolutions. The cost is linear in the number of pixels.

    Args:
        channels: Channels C of a map.
        heads: Number of attention heads; it divides C.
        context: `sum`, as in the paper, or `mean`.

    Shape: two maps (N, C, h, w) to one map (N, C, h, w), zero at initialisation.
    """

    def __init__(self, channels: int, heads: int, context: Context = "sum") -> None:
        super().__init__()
        self.heads, self.context = heads, context
        self.split = nn.ModuleList(nn.Linear(channels, 2 * channels) for _ in range(2))
        self.key_value = nn.ModuleList(
            nn.Linear(channels, 2 * channels, bias=False) for _ in range(2)
        )
        self.join = nn.ModuleList(nn.Linear(2 * channels, channels) for _ in range(2))
        self.norm = nn.ModuleList(nn.LayerNorm(channels) for _ in range(2))
        self.residual = nn.Conv2d(2 * channels, channels, 1, bias=False)
        self.mix = nn.Sequential(
            nn.Conv2d(2 * channels, channels, 1),
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1),
        )
        self.mix_norm = nn.LayerNorm(channels)
        self.out_norm = nn.LayerNorm(channels)
        self.apply(_initialise)
        nn.init.zeros_(self.out_norm.weight)

    def forward(self, rgb: Tensor, thermal: Tensor) -> Tensor:
        maps = (rgb, thermal)
        tokens = [x.flatten(2).transpose(1, 2) for x in maps]
        own, queries, contexts = [], [], []
        for x, split, key_value in zip(tokens, self.split, self.key_value, strict=True):
            y, u = split(x).relu().chunk(2, dim=-1)
            own.append(y)
            queries.append(self._by_head(u))
            contexts.append(self._context(key_value(u)))
        exchanged = []
        for i, (x, join, norm) in enumerate(zip(tokens, self.join, self.norm, strict=True)):
            read = (queries[i] @ contexts[1 - i]).transpose(1, 2).flatten(2)
            mixed = norm(x + join(torch.cat([own[i], read], dim=-1)))
            exchanged.append(mixed.transpose(1, 2).reshape(maps[i].shape))
        both = torch.cat(exchanged, dim=1)
        return _channel_norm(
            self.out_norm, self.residual(both) + _channel_norm(self.mix_norm, self.mix(both))
        )

    def _by_head(self, x: Tensor) -> Tensor:
        """(N, pixels, C) to (N, heads, pixels, C / heads)."""
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)

    def _context(self, key_value: Tensor) -> Tensor:
        """(N, pixels, 2C) to (N, heads, C/heads, C/heads).

        kᵀv is a sum over all pixels, so it is computed in float32 even under autocast.
        """
        precise = torch.promote_types(key_value.dtype, torch.float32)
        with torch.autocast(key_value.device.type, enabled=False):
            k, v = (self._by_head(x) for x in key_value.to(precise).chunk(2, dim=-1))
            pixels = k.shape[-2] if self.context == "mean" else 1
            scores = k.transpose(-2, -1) @ v * (k.shape[-1] ** -0.5 / pixels)
            context: Tensor = scores.softmax(dim=-2).to(key_value.dtype)
        return context


class ScaleFusion(nn.Module):
    """F_s of one scale: the weighted average, plus FFM(FRM) if `exchange` is set.

    Shape: two maps (N, C, h, w) and `present`, (N, 2) bool for RGB and thermal, to (N, C, h, w).
    """

    def __init__(
        self, channels: int, heads: int, *, exchange: bool, context: Context = "sum"
    ) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.zeros(2))
        self.rectify = FeatureRectification(channels) if exchange else None
        self.fuse = FeatureFusion(channels, heads, context) if exchange else None

    def forward(self, rgb: Tensor, thermal: Tensor, present: Tensor) -> Tensor:
        weights = self.theta.softmax(0)
        fused = weights[0] * rgb + weights[1] * thermal
        if self.rectify is not None and self.fuse is not None:
            fused = fused + self.fuse(*self.rectify(rgb, thermal))
        has_rgb, has_thermal = present[:, :, None, None, None].unbind(1)
        return torch.where(has_rgb & has_thermal, fused, torch.where(has_rgb, rgb, thermal))


class PyramidFusion(nn.Module):
    """Fusion at all three scales, with 1, 2 and 4 heads from fine to semantic.

    Args:
        width: Width D of the semantic map; the finer ones have D/8 and D/4 channels.
        exchange: Whether to build FRM and FFM (`paper`), or only the weighted average (`average`).
        context: Context of FFM; see `FeatureFusion`.
    """

    def __init__(self, width: int, *, exchange: bool, context: Context = "sum") -> None:
        super().__init__()
        self.fine, self.intermediate, self.semantic = (
            ScaleFusion(channels, heads, exchange=exchange, context=context)
            for channels, heads in ((width // 8, 1), (width // 4, 2), (width, 4))
        )

    def forward(self, rgb: Pyramid, thermal: Pyramid, present: Tensor) -> Pyramid:
        scales = (self.fine, self.intermediate, self.semantic)
        return Pyramid(
            *(fuse(a, b, present) for fuse, a, b in zip(scales, rgb, thermal, strict=True))
        )


def _channel_norm(norm: nn.LayerNorm, x: Tensor) -> Tensor:
    """LayerNorm over the channels of every pixel of (N, C, h, w); it needs no batch statistics."""
    normalised: Tensor = norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    return normalised


def _initialise(module: nn.Module) -> None:
    """CMX's initialisation: truncated normal for Linear, He for convolutions, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
    elif isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    if isinstance(module, nn.Linear | nn.Conv2d) and module.bias is not None:
        nn.init.zeros_(module.bias)
