"""A small trunk for SAM2 with ImageNet weights: EfficientNet-Lite with Hiera's attention.

SAM2's Hiera (arXiv 2306.00989) needs millions of images for useful features. EfficientNet-Lite's
weights are available without a model hub. Here its stages compute the features. After each stage,
blocks of Hiera mix them within windows, or in deeper stages over the whole image:

    image ─► stem, convolutions ─► blocks ─► convolutions ─► blocks ─► ... stride 32
                        stride 4 ◄──┘              stride 8 ◄──┘

The last layers of the blocks start at zero: before training, the trunk equals EfficientNet-Lite.
Its maps differ in scale by a factor of ten and are normalised at the output. Batch norms are folded
into the convolutions before them, so no statistics depend on the batch.
"""

from __future__ import annotations

import itertools
from typing import Any, cast

import torch
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel
from transformers.models.sam2.configuration_sam2 import Sam2HieraDetConfig
from transformers.models.sam2.modeling_sam2 import (
    Sam2HieraDetModelOutput,
    Sam2MultiScaleBlock,
    Sam2PreTrainedModel,
)

from samantic.models.encoders.efficientnet import halving, imagenet_weights
from samantic.models.encoders.encoder import MEAN, STD
from samantic.models.encoders.norms import fold_norms

TRUNK = {
    "embed_dim_per_stage": [24, 40, 112, 320],
    "blocks_per_stage": [1, 1, 2, 1],
    "num_attention_heads_per_stage": [1, 1, 2, 5],
    "window_size_per_stage": [8, 8, 8, 8],
    "global_attention_blocks": [2, 3],  # here: numbers of stages
}
"""EfficientNet-Lite0's widths, and blocks of Hiera: with windows in the first two stages."""


class LiteTrunkConfig(Sam2HieraDetConfig):  # type: ignore[no-untyped-call]
    """Sizes of the trunk; `embed_dim_per_stage` are the widths of EfficientNet-Lite0's stages."""

    model_type = "samantic_lite_trunk"


class Stage(nn.Module):
    """One stage: (N, C, H, W) to (N, h, w, C'), by convolutions, then by blocks of Hiera."""

    def __init__(self, convolutions: nn.Sequential, blocks: list[Sam2MultiScaleBlock]) -> None:
        super().__init__()
        self.convolutions, self.blocks = convolutions, nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        tokens: Tensor = self.blocks(self.convolutions(x).permute(0, 2, 3, 1))
        return tokens


class LiteTrunk(Sam2PreTrainedModel):
    """EfficientNet-Lite0's stages at strides 4, 8, 16 and 32, each with blocks of Hiera after it.

    Shape: (N, 3, H, W) images, normalised as for SAM2, H and W multiples of 32, to four maps (N,
    H/s, W/s, C), channels last as in Hiera.
    """

    config_class = LiteTrunkConfig

    def __init__(self, config: LiteTrunkConfig) -> None:
        super().__init__(config)
        network = EfficientNet.from_name("efficientnet-lite0").eval()
        fold_norms(network)
        self.stem, self.activation = network._conv_stem, network._swish
        counts = cast(list[int], config.blocks_per_stage)
        self.stages = nn.ModuleList(
            Stage(part, [Sam2MultiScaleBlock(config, index, 1, index) for _ in range(count)])
            for index, (part, count) in enumerate(zip(_stages(network), counts, strict=True))
        )
        widths = cast(list[int], config.embed_dim_per_stage)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in widths)
        self.post_init()  # type: ignore[no-untyped-call]

    def get_input_embeddings(self) -> nn.Module:
        """The layer that reads the image; transformers calls this."""
        stem: nn.Module = self.stem
        return stem

    def forward(self, pixel_values: Tensor, **kwargs: Any) -> Sam2HieraDetModelOutput:
        x = self.activation(self.stem(pixel_values.contiguous(memory_format=torch.channels_last)))
        maps = []
        for stage, norm in zip(self.stages, self.norms, strict=True):
            tokens = stage(x)
            maps.append(norm(tokens))
            x = tokens.permute(0, 3, 1, 2)
        return Sam2HieraDetModelOutput(maps[-1], tuple(maps))

    @torch.no_grad()
    def start_from_imagenet(self) -> None:
        """Load ImageNet weights, and initialise the blocks of Hiera as the identity.

        Raises:
            InputError: The package with the weights is not installed.
        """
        network = EfficientNet.from_name("efficientnet-lite0").eval()
        network.load_state_dict(imagenet_weights("efficientnet-lite0"))
        fold_norms(network)
        _read_normalised(network._conv_stem)
        self.stem.load_state_dict(network._conv_stem.state_dict())
        for own, trained in zip(self.stages, _stages(network), strict=True):
            cast(Stage, own).convolutions.load_state_dict(trained.state_dict())
        for block in self.modules():
            if isinstance(block, Sam2MultiScaleBlock):
                for last in (block.attn.proj, block.mlp.proj_out):
                    nn.init.zeros_(last.weight)
                    nn.init.zeros_(last.bias)


AutoConfig.register(LiteTrunkConfig.model_type, LiteTrunkConfig)
AutoModel.register(LiteTrunkConfig, LiteTrunk)


def _stages(network: EfficientNet) -> list[nn.Sequential]:
    """EfficientNet's blocks up to strides 4, 8, 16 and 32."""
    starts = [0, *halving(network)[1:], len(network._blocks)]
    return [nn.Sequential(*network._blocks[a:b]) for a, b in itertools.pairwise(starts)]


def _read_normalised(stem: nn.Conv2d) -> None:
    """Change a convolution for (255 x - 127) / 128 into the same function of (x - mean) / std."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    cast(Tensor, stem.bias).add_((stem.weight * (255 * mean - 127) / 128).sum((1, 2, 3)))
    stem.weight *= 255 * std / 128
