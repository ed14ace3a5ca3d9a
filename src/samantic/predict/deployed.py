"""The one path from what cameras give to labels, which `Predictor` runs and exporters export."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from samantic.config.networks import Head
from samantic.config.scaling import Scaling
from samantic.data.resize import magnify, network_scale, resize_to
from samantic.models import Network, Output
from samantic.predict.info import ModelInfo
from samantic.predict.scaling import scale_images


class Segmentation(NamedTuple):
    """The answer to N pairs.

    Attributes:
        labels: (N, H, W) uint8, a class id per pixel.
        confidence: (N, H, W) float32 in 0..1, the probability of that class.
        probabilities: (N, K, H, W) float32, of all classes; None where they were not asked for.
    """

    labels: Tensor
    confidence: Tensor
    probabilities: Tensor | None = None


class Deployed(nn.Module):
    """A trained network with all that stands between it and the cameras.

    Inside are the scaling of thermal values, the order of the channels, the size in which the
    network sees images, its padding, LoRA's updates as part of the weights, the choice of the head,
    the return to the images' size, softmax and maximum. No branch depends on a value, so that
    height and width can be fixed and the module exported. A network of one camera is called, and
    exported, without the other one's images.

    Two things stay outside. Images of cameras that are not aligned are warped between `images` and
    `probabilities` (`data.rig`). Large images and panoramas are cut into tiles there too, since the
    scaling `frame` is of the whole image (`predict.tiling`).

    Args:
        network: The network. It is put into evaluation mode, and its LoRA updates are merged.
        info: Its options; they name the head that answers.
        scaling: How thermal values become 0..1.
        size: Short side in pixels that images are brought to for the network; None leaves them.

    Example:
        >>> model = samantic.load("nano").deployed
        >>> model(torch.zeros(1, 480, 640, 3, dtype=torch.uint8)).labels.shape
        torch.Size([1, 480, 640])
    """

    def __init__(
        self, network: Network, info: ModelInfo, scaling: Scaling, size: int | None
    ) -> None:
        super().__init__()
        self.network = network.eval()
        self.network.merge()
        self.scaling, self.size = scaling, size
        wanted = info.model.prediction
        self.head: Head = wanted if wanted in network.heads else "mask"

    def forward(
        self,
        rgb: Tensor | None = None,
        thermal: Tensor | None = None,
        present: Tensor | None = None,
        *,
        probabilities: bool = False,
    ) -> Segmentation:
        """Segment raw images of one size.

        Args:
            rgb: (N, H, W, 3) uint8, or None.
            thermal: (N, H, W) uint8, uint16 (or int32 with such values) or float32 in the sensor's
                own unit, or None.
            present: (N, 2) bool, which of RGB and thermal a pair has, at least one; None means what
                is given. An image that is not present has no influence.
            probabilities: Whether to return those of all classes.

        Raises:
            ValueError: A shape does not fit, nothing that the network reads is given, or thermal
                images are deeper than the scaling takes.
        """
        found, _ = self.probabilities(*self.images(rgb, thermal), present)
        confidence, labels = found[0].max(1)
        return Segmentation(labels.to(torch.uint8), confidence, found[0] if probabilities else None)

    def images(
        self, rgb: Tensor | None, thermal: Tensor | None
    ) -> tuple[Tensor | None, Tensor | None]:
        """What the network reads of raw images: (N, 3, H, W) and (N, 1, H, W) in 0..1.

        Raises:
            ValueError: Thermal images are deeper than the scaling takes.
        """
        if rgb is not None:
            rgb = rgb.permute(0, 3, 1, 2).contiguous().float() / 255
        return rgb, None if thermal is None else scale_images(thermal, self.scaling)

    def probabilities(
        self,
        rgb: Tensor | None,
        thermal: Tensor | None,
        present: Tensor | None = None,
        heads: Sequence[Head] = (),
        scale: float | None = None,
    ) -> tuple[Tensor, Output]:
        """Class probabilities of images in 0..1, of several heads from one pass of the network.

        Args:
            rgb: (N, 3, H, W), or None.
            thermal: (N, 1, H, W), or None.
            present: As in `forward`.
            heads: h heads; none means the one that the model answers with.
            scale: Magnification in which the network sees the images; None derives it from their
                size, which is not that of the whole where they are tiles.

        Returns:
            (h, N, K, H, W), and what the network computed, whose maps are magnified.

        Raises:
            ValueError: A shape does not fit, or nothing that the network reads is given.
        """
        size = next((x.shape[-2:] for x in (rgb, thermal) if x is not None), (1, 1))
        scale = network_scale(size, self.size) if scale is None else scale
        out: Output = self.network(magnify(rgb, scale), magnify(thermal, scale), present)
        found = [resize_to(out.probabilities(head), size) for head in heads or (self.head,)]
        return torch.stack(found), out
