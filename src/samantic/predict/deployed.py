"""Network, preprocessing and postprocessing as one module, which `Predictor` and exports use."""

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
    """The answer for N pairs.

    Attributes:
        labels: (N, H, W) uint8, a class id per pixel.
        confidence: (N, H, W) float32 in 0..1, the probability of that class.
        probabilities: (N, K, H, W) float32 of all classes; None unless they are requested.
    """

    labels: Tensor
    confidence: Tensor
    probabilities: Tensor | None = None


class Deployed(nn.Module):
    """A trained network with its preprocessing and postprocessing.

    The module scales thermal values, orders channels, resizes images for the network and pads them.
    LoRA updates are merged into the weights. The module then selects the head, resizes the logits
    to the images' size, and applies softmax and maximum. No branch depends on a value, so the
    module can be exported with a fixed height and width. A network that reads one camera is called
    and exported without the other camera's images.

    Two steps are not part of the module. Images of cameras that are not aligned (`data.rig`) are
    warped between `images` and `probabilities`. Large images and panoramas are cut into tiles there
    too, because the scaling `frame` needs the whole image (`predict.tiling`).

    Args:
        network: The network. It is put into evaluation mode, and its LoRA updates are merged.
        info: Its options; they name the head that answers.
        scaling: How thermal values become 0..1.
        size: Short side in pixels to which images are resized for the network; None does not
            resize.

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
            present: (N, 2) bool, which of RGB and thermal each pair has, at least one; None means
                every given image. An image that is not present has no influence.
            probabilities: Whether to return the probabilities of all classes.

        Raises:
            ValueError: A shape does not fit, the network reads none of the given images, or thermal
                images are deeper than the scaling accepts.
        """
        found, _ = self.probabilities(*self.images(rgb, thermal), present)
        confidence, labels = found[0].max(1)
        return Segmentation(labels.to(torch.uint8), confidence, found[0] if probabilities else None)

    def images(
        self, rgb: Tensor | None, thermal: Tensor | None
    ) -> tuple[Tensor | None, Tensor | None]:
        """Convert raw images to the network's input: (N, 3, H, W) and (N, 1, H, W) in 0..1.

        Raises:
            ValueError: Thermal images are deeper than the scaling accepts.
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
        """Class probabilities of images in 0..1, for several heads from one pass of the network.

        Args:
            rgb: (N, 3, H, W), or None.
            thermal: (N, 1, H, W), or None.
            present: As for `forward`.
            heads: h heads; empty means the head with which the model answers.
            scale: Factor by which images are resized for the network; None computes it from their
                size. Tiles need the factor of the whole image.

        Returns:
            Probabilities (h, N, K, H, W), and the network's output, whose maps have the resized
            images' size.

        Raises:
            ValueError: A shape does not fit, or the network reads none of the given images.
        """
        size = next((x.shape[-2:] for x in (rgb, thermal) if x is not None), (1, 1))
        scale = network_scale(size, self.size) if scale is None else scale
        out: Output = self.network(magnify(rgb, scale), magnify(thermal, scale), present)
        found = [resize_to(out.probabilities(head), size) for head in heads or (self.head,)]
        return torch.stack(found), out
