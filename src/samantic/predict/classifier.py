"""A trained model that predicts image tensors: as a whole, or in tiles where they are large."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from samantic.config.networks import Head, TestTime
from samantic.data.camera import Camera
from samantic.data.resize import network_scale
from samantic.errors import InputError, SizeError
from samantic.models import Network, Output
from samantic.models.devices import Device, choose_device
from samantic.predict.blending import Blend, Floats, Places, blend_tiles
from samantic.predict.deployed import Deployed
from samantic.predict.info import ModelInfo
from samantic.predict.tiling import Tiling, size_of, tile_of
from samantic.predict.tta import View, views_of

BATCH_SIZES = {"cpu": 1}
"""Default batch size of pairs or tiles by kind of device. Batches are no faster on a CPU."""

BATCH_SIZE = 8
"""Default batch size on other devices."""


class Classified(NamedTuple):
    """The answers of h heads for N pairs, on the CPU.

    Attributes:
        labels: (h, N, H, W) int64, class ids.
        confidence: (h, N, H, W), their probability.
        probabilities: (h, N, K, H, W) of all classes; None unless they are requested.
        output: The network's output; None where images were predicted in tiles.
    """

    labels: Tensor
    confidence: Tensor
    probabilities: Tensor | None
    output: Output | None

    def row(self, i: int) -> Classified:
        """The answers for pair i, with N = 1."""
        one, out = slice(i, i + 1), self.output
        return Classified(
            self.labels[:, one],
            self.confidence[:, one],
            None if self.probabilities is None else self.probabilities[:, one],
            None if out is None else out.row(i),
        )


class Classifier:
    """A trained network, ready to predict image tensors of any size.

    Args:
        network: The network; its LoRA updates are merged into the weights.
        info: Its options, classes and colours.
        device: `auto` (a GPU if there is one), `cpu`, `cuda`, `cuda:1`, `mps`, ..., or a number.
        camera: How thermal images become the network's input; None means as in training.
        tile: Side of tiles in pixels. An image that is larger than a tile, at the size in which the
            network sees it, is predicted in overlapping tiles. None means `TILE`, or the model's
            view in training where that is larger.
        panorama: Whether images cover 360 degrees: their left and right edges meet, and tiles lie
            across them. None means as the training images.
        size: Short side in pixels to which images are resized for the network, with their aspect
            kept; labels and confidence have the images' own size. 0 does not resize; None means as
            in the model's evaluation after training.
        tta: Test-time augmentation: `flip`, `scales` or `all` average the probabilities of several
            views of an image, see `predict.tta`.

    Attributes:
        deployed: Network with its pre- and postprocessing, from raw images to labels.
        batch_size: Default number of pairs or tiles that go through the network together.

    Raises:
        InputError: The device is not available, or tile or size is out of range.
    """

    def __init__(
        self,
        network: Network,
        info: ModelInfo,
        device: Device = "auto",
        camera: Camera | None = None,
        tile: int | None = None,
        panorama: bool | None = None,
        size: int | None = None,
        tta: TestTime | None = None,
    ) -> None:
        self.camera = info.camera if camera is None else camera
        self.info = info
        self.panorama = info.projection == "equirectangular" if panorama is None else panorama
        self.tile, self.size = tile_of(tile, info.view), size_of(size, info.eval_size)
        self.tta, self.views = tta, views_of(tta)
        self.device = choose_device(device)
        self.batch_size = BATCH_SIZES.get(self.device.type, BATCH_SIZE)
        deployed = Deployed(network.to(self.device), info, self.camera.scaling, self.size)
        # channels_last makes convolutions faster on CPUs; torch's types lack this call
        self.deployed: Deployed = deployed.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network, self.head = network, deployed.head

    @property
    def options(self) -> dict[str, Any]:
        """All settings, apart from network and images, that change the answers; values fit JSON."""
        height, width = self.tile
        tile = height if height == width else [height, width]
        where = {"panorama": self.panorama, "tile": tile, "size": self.size}
        return where | {"tta": self.tta} | self.camera.stored()

    def plain(self) -> Self:
        """A copy of this model without test-time augmentation."""
        plain = copy.copy(self)
        plain.tta, plain.views = None, views_of(None)
        return plain

    @torch.inference_mode()
    def classify(
        self,
        rgb: Tensor | None,
        thermal: Tensor | None,
        heads: Sequence[Head] = (),
        *,
        probabilities: bool = False,
    ) -> Classified:
        """Classify the pixels of pairs of one size, in tiles where the pairs are large.

        Args:
            rgb: (N, 3, H, W) in 0..1, or None.
            thermal: (N, 1, H, W) in 0..1, scaled and warped by the model's camera, or None.
            heads: Heads whose answers are computed in one pass; empty means the model's own choice.
            probabilities: Whether to return the probabilities of all classes.

        Raises:
            InputError: Sizes differ, the model reads neither image, or its answer is not finite.
        """
        given = [x for x in (rgb, thermal) if x is not None]
        tiling = Tiling(self.tile, self.size, self.panorama)
        alike = len({x.shape[-2:] for x in given}) == 1  # if not, the network raises the error
        tile = tiling.of(*given[0].shape[-2:]) if alike else None
        if tile is None:
            found, out = self._ask(rgb, thermal, heads)
            confidence, labels = found.max(2)
            kept = found.cpu() if probabilities else None
            answer = Classified(labels.cpu(), confidence.cpu(), kept, out)
        else:
            answer = self._classify_tiles(rgb, thermal, heads, tile, probabilities)
        if not bool(answer.confidence.isfinite().all()):
            raise InputError(
                "the model's answer is not finite: its weights or the images are out of all "
                "bounds; train anew with a lower train.learning_rate"
            )
        return answer

    @torch.inference_mode()
    def output(self, rgb: Tensor | None, thermal: Tensor | None) -> Output:
        """The network's output for (N, C, H, W) images in 0..1, each as a whole.

        Raises:
            InputError: Sizes differ, or the model reads neither image.
        """
        return self._ask(rgb, thermal)[1]

    def _classify_tiles(
        self,
        rgb: Tensor | None,
        thermal: Tensor | None,
        heads: Sequence[Head],
        tile: tuple[int, int],
        probabilities: bool,
    ) -> Classified:
        """`classify` one image after the other; several tiles go through the network together."""
        height, width = next(x.shape[-2:] for x in (rgb, thermal) if x is not None)
        scale = network_scale((height, width), self.size)

        def blend(colour: Tensor | None, heat: Tensor | None) -> Blend:
            def predict(rows: slice, columns: Places) -> Floats:
                parts = _tiles(colour, rows, columns), _tiles(heat, rows, columns)
                found, _ = self._ask(*parts, heads=heads, scale=scale)
                return found.transpose(0, 1).float().cpu().numpy()

            options = (self.panorama, self.batch_size, probabilities)
            return blend_tiles(predict, height, width, tile, *options)

        count = len(next(x for x in (rgb, thermal) if x is not None))
        each = [
            blend(None if rgb is None else rgb[i], None if thermal is None else thermal[i])
            for i in range(count)
        ]
        kept = [part.probabilities for part in each if part.probabilities is not None]
        return Classified(
            torch.from_numpy(np.stack([part.labels for part in each], axis=1)),
            torch.from_numpy(np.stack([part.confidence for part in each], axis=1)),
            torch.from_numpy(np.stack(kept, axis=1)) if kept else None,
            None,
        )

    def _ask(
        self,
        rgb: Tensor | None,
        thermal: Tensor | None,
        heads: Sequence[Head] = (),
        scale: float | None = None,
    ) -> tuple[Tensor, Output]:
        """`Deployed.probabilities`, averaged over views, and the network's output for the first.

        Raises:
            InputError: Sizes differ, or the model reads neither image.
        """
        size = next((x.shape[-2:] for x in (rgb, thermal) if x is not None), (1, 1))
        scale = network_scale(size, self.size) if scale is None else scale

        def ask(view: View) -> tuple[Tensor, Output]:
            colour, heat = (
                None if x is None else view.turn(x.to(self.device)) for x in (rgb, thermal)
            )
            return self.deployed.probabilities(colour, heat, None, heads, view.scale * scale)

        first, *others = self.views
        try:
            found, out = ask(first)
            if others:
                found = torch.stack([found, *(view.turn(ask(view)[0]) for view in others)]).mean(0)
        except ValueError as error:
            kind = SizeError if isinstance(error, SizeError) else InputError
            raise kind(f"the pair does not fit the model: {error}") from None
        return found, out


def _tiles(image: Tensor | None, rows: slice, columns: Places) -> Tensor | None:
    """Tiles (n, C, y, x) of an image (C, H, W): the given rows, and columns (n, x)."""
    if image is None:
        return None
    return image[:, rows][..., torch.from_numpy(columns)].movedim(2, 0).contiguous()
