"""A trained model at work on pairs: one by one in Python, or folder by folder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from samantic.config.options import RANGES, Range, fits, shown
from samantic.config.train import MOST_TILE, TILE, Head
from samantic.data.camera import Camera
from samantic.data.images import ImageLike, rgb_array, thermal_array
from samantic.data.pairs import to_tensor
from samantic.data.resize import brought_to, magnified, shown_scale
from samantic.data.thermal import refuse_unit
from samantic.errors import InputError
from samantic.models import Network, Output
from samantic.models.devices import Device, choose_device
from samantic.predict.info import ModelInfo
from samantic.predict.model_folder import load_model
from samantic.predict.prediction import Prediction
from samantic.predict.tiling import blend_tiles

TILES = Range(32, MOST_TILE)
"""Sides of tiles in pixels that a network can read."""

SIZES = RANGES["data.eval_size"]
"""Short sides in pixels that images may be brought to."""


class Predictor:
    """A trained network, ready for pairs of any size.

    Args:
        network: The network; LoRA updates are merged.
        info: Its options, classes and colours.
        device: `auto` (a GPU if there is one), `cpu`, `cuda`, `cuda:1`, `mps`, ..., or a number.
        camera: How thermal images become what the network reads; None means as in training.
        tile: Images with a longer side than this many pixels, in the size that the network sees
            them, are predicted in overlapping tiles of this side; None for `TILE`, or what the
            model saw in training where that is more.
        panorama: Images go all around: their left and right edge meet, and tiles lie across them.
        size: Short side in pixels that images are brought to for the network, their aspect kept;
            labels and confidence come in the images' own size. 0 leaves images as they are, None
            means as in the model's evaluation after training.
    """

    def __init__(
        self,
        network: Network,
        info: ModelInfo,
        device: Device = "auto",
        camera: Camera | None = None,
        tile: int | None = None,
        panorama: bool = False,
        size: int | None = None,
    ) -> None:
        check_tile(tile)
        self.camera = info.camera if camera is None else camera
        self.info, self.panorama = info, panorama
        self.tile = _tile(info) if tile is None else (tile, tile)
        self.size = info.eval_size if size is None else size or None
        self.device = choose_device(device)
        # channels_last makes convolutions faster on CPUs; torch's types lack both arguments at once
        self.network: Network = network.eval().to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network.merge()

    @property
    def options(self) -> dict[str, Any]:
        """All that its answers depend on besides the network and the images, as JSON has it."""
        height, width = self.tile
        tile = height if height == width else [height, width]
        where = {"panorama": self.panorama, "tile": tile, "size": self.size}
        return where | self.camera.stored()

    def predict(self, rgb: ImageLike | None = None, thermal: ImageLike | None = None) -> Prediction:
        """Segment a pair.

        Args:
            rgb: Path, PIL image or (H, W, 3) uint8; None if the camera is missing.
            thermal: Path, PIL image or (H, W) array of uint8, uint16 or floats; None if the camera
                is missing.

        Raises:
            InputError: An image cannot be used, sizes differ, all thermal values lie at one end
                beyond the range of the model, or it reads neither image.
        """
        if rgb is None and thermal is None:
            raise InputError("predict: no image was given; give rgb, thermal or both")
        colour = None if rgb is None else rgb_array(rgb)
        if thermal is None:
            return self.segment(colour, None)
        raw = thermal_array(thermal)
        refuse_unit([("thermal", raw)], self.camera.scaling, "thermal", "thermal_scaling of load")
        return self.segment(colour, self.camera.see(raw, colour))

    def segment(
        self, rgb: NDArray[np.uint8] | None, thermal: NDArray[np.float32] | None
    ) -> Prediction:
        """Segment arrays of one size; either may be None.

        Args:
            rgb: (H, W, 3).
            thermal: (H, W) in 0..1, as the model's camera sees it.

        Raises:
            InputError: Sizes differ, or the model reads neither image.
        """
        images = (
            None if rgb is None else to_tensor(rgb),
            None if thermal is None else torch.from_numpy(thermal)[None],
        )
        confidence, labels, _ = self.classify(*images)
        shown = images[0] if images[0] is not None else images[1]
        if shown is None:  # pragma: no cover - the network has refused it above
            raise InputError("no image was given")
        background = (255 * shown).round().byte().expand(3, -1, -1).permute(1, 2, 0).numpy()
        return Prediction(
            labels.byte().numpy(),
            confidence.numpy(),
            self.info.classes,
            self.info.palette,
            background,
        )

    @torch.inference_mode()
    def classify(
        self, rgb: Tensor | None, thermal: Tensor | None
    ) -> tuple[Tensor, Tensor, Output | None]:
        """Class ids of a pair of (C, H, W) images in 0..1, in tiles where they are large.

        Returns:
            Confidence (H, W) and class ids (H, W), both on the CPU, and what the network computed;
            None where it was asked tile by tile.

        Raises:
            InputError: Sizes differ, or the model reads neither image.
        """
        confidence, labels, out = self.classify_heads(rgb, thermal, (self.head,))
        return confidence[0], labels[0], out

    @torch.inference_mode()
    def classify_heads(
        self, rgb: Tensor | None, thermal: Tensor | None, heads: Sequence[Head]
    ) -> tuple[Tensor, Tensor, Output | None]:
        """`classify` of several heads from one pass of the network.

        Returns:
            Confidence and class ids of h heads, (h, H, W) each, and what the network computed.

        Raises:
            InputError: Sizes differ, or the model reads neither image.
        """
        sizes = {x.shape[-2:] for x in (rgb, thermal) if x is not None}
        scale = shown_scale(next(iter(sizes)), self.size) if len(sizes) == 1 else 1.0
        tile = most_rows, most_columns = _unscaled(self.tile, scale)
        whole = not self.panorama and all(h <= most_rows and w <= most_columns for h, w in sizes)
        if whole or len(sizes) != 1:  # no image, or two sizes: the network refuses it
            probabilities, out = self._answer(rgb, thermal, scale, heads)
            confidence, labels = probabilities.max(1)
            return confidence.cpu(), labels.cpu(), out

        def part(rows: slice, columns: Tensor) -> Tensor:
            part_rgb, part_thermal = (
                None if x is None else x[:, rows, columns] for x in (rgb, thermal)
            )
            return self._answer(part_rgb, part_thermal, scale, heads)[0]

        height, width = sizes.pop()
        return *blend_tiles(part, height, width, tile, self.panorama), None

    @torch.inference_mode()
    def output(self, rgb: Tensor | None, thermal: Tensor | None, scale: float = 1.0) -> Output:
        """What the network computes of a pair of (C, H, W) images in 0..1, in one piece.

        Args:
            rgb: The RGB image.
            thermal: The thermal image.
            scale: Magnification in which the network sees them; its maps have that size too.

        Raises:
            InputError: Sizes differ, or the model reads neither image.
        """
        batches = (
            None if x is None else magnified(x[None].to(self.device), scale) for x in (rgb, thermal)
        )
        try:
            out: Output = self.network(*batches)
        except ValueError as error:
            raise InputError(f"the pair does not fit the model: {error}") from None
        return out

    @property
    def head(self) -> Head:
        """The head that the model answers with."""
        wanted = self.info.model.prediction
        return wanted if wanted in self.network.heads else "mask"

    def _answer(
        self, rgb: Tensor | None, thermal: Tensor | None, scale: float, heads: Sequence[Head]
    ) -> tuple[Tensor, Output]:
        """Class probabilities (h, K, H, W) of h heads, and all that the network computed.

        Raises:
            InputError: They are not finite.
        """
        out = self.output(rgb, thermal, scale)
        size = next(x.shape[-2:] for x in (rgb, thermal) if x is not None)
        found = brought_to(torch.cat([out.probabilities(head) for head in heads]), size)
        if not bool(found.isfinite().all()):
            raise InputError(
                "the model's answer is not finite: its weights or the images are out of all "
                "bounds; train anew with a lower train.learning_rate"
            )
        return found, out


def load(
    name_or_path: str | Path,
    device: Device = "auto",
    thermal_scaling: str | None = None,
    rig: str | None = None,
    tile: int | None = None,
    panorama: bool = False,
    size: int | None = None,
) -> Predictor:
    """Load a trained model for prediction.

    Args:
        name_or_path: A run folder, a model folder, or a hub id `owner/name`.
        device: `auto` (a GPU if there is one), `cpu`, `cuda`, `cuda:1`, `mps`, ..., or a number.
        thermal_scaling: Where thermal values come in another unit than in training: 8-bit, frame
            or LOW,HIGH.
        rig: Where the cameras stand otherwise than in training: resize, or a calibration file.
        tile: Larger images are predicted in overlapping tiles of this side, in pixels of what the
            network sees; None for 1536, or what the model saw in training where that is more.
        panorama: Images go all around: they are predicted without a seam at their left and right
            edge.
        size: Short side in pixels that images are brought to for the network; 0 leaves them as they
            are, None means as in the model's evaluation after training.

    Raises:
        InputError: There is no such model, its files do not fit together, the device is not there,
            or no network can read tiles or images of this side.

    Example:
        >>> model = samantic.load("runs/demo/fused")
        >>> model.predict(rgb="rgb.png", thermal="thermal.png").labels.shape
        (480, 640)
    """
    device = choose_device(device)
    check_tile(tile)
    _check_size(size)
    network, info = load_model(name_or_path)
    camera = info.camera.changed(thermal_scaling, rig)
    return Predictor(network, info, device, camera, tile, panorama, size)


def check_tile(tile: int | None) -> None:
    """Refuse a side of tiles that no network can read.

    Raises:
        InputError: It is no whole number of pixels, or too small or too large.
    """
    if tile is not None and (not fits(tile, int) or not TILES.holds(tile)):
        raise InputError(f"tile is {shown(tile)}; it must be a whole number of pixels in {TILES}")


def _check_size(size: int | None) -> None:
    """Refuse a short side that images cannot be brought to; 0 leaves them as they are.

    Raises:
        InputError: It is no whole number of pixels, or too small or too large.
    """
    if size is not None and (not fits(size, int) or not (size == 0 or SIZES.holds(size))):
        raise InputError(
            f"size is {shown(size)}; it must be a whole number of pixels in {SIZES}, or 0 for the "
            "images' own"
        )


def _tile(info: ModelInfo) -> tuple[int, int]:
    """Height and width of tiles that show no less of an image than the model saw in training."""
    height, width = info.view or (TILE, TILE)
    return max(TILE, height), max(TILE, width)


def _unscaled(tile: tuple[int, int], scale: float) -> tuple[int, int]:
    """Height and width in an image's own pixels of tiles of the image as it is magnified."""
    height, width = (math.ceil(side / scale) for side in tile)
    return height, width
