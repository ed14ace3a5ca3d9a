"""The reference for SARTM's speed: its base alone, two encoder passes and one decoder pass."""

from __future__ import annotations

from torch import Tensor, nn

from samantic.models.encoders.door import open_base
from samantic.models.promptable import PromptableSAM


class BarePasses(nn.Module):
    """Two passes of a base's encoder and one of its mask decoder, with a click.

    It has no adaptation, fusion, classes or preprocessing. These passes are the part that a network
    with two SAM2 encoders cannot avoid.

    Args:
        base: Name of the base, see `open_base`.

    Raises:
        InputError: The base cannot be loaded.
    """

    def __init__(self, base: str) -> None:
        super().__init__()
        self.sam = PromptableSAM(open_base(base)).eval()

    def forward(self, rgb: Tensor, thermal: Tensor) -> Tensor:
        """Logits (N, 1, 3, h, w) of a click, from (N, 3, H, W) and (N, 1, H, W) images in 0..1."""
        self.sam.encode(thermal.expand(-1, 3, -1, -1))
        encoded = self.sam.encode(rgb)
        click = rgb.new_tensor([[[[rgb.shape[-1] / 2, rgb.shape[-2] / 2]]]])
        return self.sam.decode_coarse(encoded, points=click.expand(len(rgb), -1, -1, -1)).logits
