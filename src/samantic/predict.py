"""A trained model at work on pairs: one by one in Python, or folder by folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from samantic.checkpoint import load_model
from samantic.config import TILE, Head
from samantic.data.camera import Camera
from samantic.data.images import ImageLike, rgb_array, thermal_array
from samantic.data.pairs import to_tensor
from samantic.errors import InputError
from samantic.files import replacing
from samantic.model_info import ModelInfo
from samantic.models import Network, Output
from samantic.tiling import blend_tiles


@dataclass(frozen=True)
class Prediction:
    """The segmentation of one pair.

    Attributes:
        labels: (H, W) uint8, a class id per pixel.
        confidence: (H, W) float32 in 0..1, the probability of that class.
        classes: Class names by label id.
        palette: RGB colour of each class, 0..255.
        background: (H, W, 3) uint8, the image that overlays are drawn on: RGB, or else thermal.
    """

    labels: NDArray[np.uint8]
    confidence: NDArray[np.float32]
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    background: NDArray[np.uint8]

    def overlay(self, opacity: float = 0.5) -> Image.Image:
        """The classes in colour over the image; class 0 is left clear."""
        return overlay(self.background, self.labels, self.palette, opacity)

    def save(self, folder: str | Path, stem: str) -> None:
        """Write folder/labels/STEM.png (class ids) and folder/overlays/STEM.png."""
        for kind, image in (("overlays", self.overlay()), ("labels", Image.fromarray(self.labels))):
            with replacing(Path(folder) / kind / f"{stem}.png") as temporary:
                image.save(temporary)

    def shares(self) -> dict[str, float]:
        """The share of the pixels that each class takes."""
        return class_shares(self.labels, self.classes)


class Predictor:
    """A trained network, ready for pairs of any size.

    Args:
        network: The network; LoRA updates are merged.
        info: Its options, classes and colours.
        device: `auto` (a GPU if there is one), `cpu`, `cuda`, `mps`, ...
        camera: How thermal images become what the network reads; None means as in training.
        tile: Images with a longer side than this many pixels are predicted in overlapping tiles of
            this side.
        panorama: Images go all around: their left and right edge meet, and tiles lie across them.
    """

    def __init__(
        self,
        network: Network,
        info: ModelInfo,
        device: str = "auto",
        camera: Camera | None = None,
        tile: int = TILE,
        panorama: bool = False,
    ) -> None:
        self.camera = info.camera if camera is None else camera
        self.info, self.tile, self.panorama = info, tile, panorama
        self.device = choose_device(device)
        # convolutions are faster so; torch's types do not know that both may be given
        self.network: Network = network.eval().to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network.merge()

    def predict(self, rgb: ImageLike | None = None, thermal: ImageLike | None = None) -> Prediction:
        """Segment a pair.

        Args:
            rgb: Path, PIL image or (H, W, 3) uint8; None if the camera is missing.
            thermal: Path, PIL image or (H, W) array of uint8, uint16 or floats; None if the camera
                is missing.

        Raises:
            InputError: An image cannot be used, sizes differ, or the model reads neither image.
        """
        colour = None if rgb is None else rgb_array(rgb)
        heat = None if thermal is None else self.camera.see(thermal_array(thermal), colour)
        return self.segment(colour, heat)

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
        whole = not self.panorama and all(max(size) <= self.tile for size in sizes)
        if whole or len(sizes) != 1:  # no image, or two sizes: the network says so
            out = self.output(rgb, thermal)
            confidence, labels = _probabilities(out, heads).max(1)
            return confidence.cpu(), labels.cpu(), out

        def part(rows: slice, columns: Tensor) -> Tensor:
            cut = (None if x is None else x[:, rows, columns] for x in (rgb, thermal))
            return _probabilities(self.output(*cut), heads)

        height, width = sizes.pop()
        return *blend_tiles(part, height, width, self.tile, self.panorama), None

    @torch.inference_mode()
    def output(self, rgb: Tensor | None, thermal: Tensor | None) -> Output:
        """What the network computes of a pair of (C, H, W) images in 0..1, in one piece.

        Raises:
            InputError: Sizes differ, or the model reads neither image.
        """
        batches = (None if x is None else x[None].to(self.device) for x in (rgb, thermal))
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


def _probabilities(out: Output, heads: Sequence[Head]) -> Tensor:
    """Class probabilities (h, K, H, W) of h heads.

    Raises:
        InputError: They are not finite.
    """
    found = torch.stack([out.probabilities(head)[0] for head in heads])
    if not bool(found.isfinite().all()):
        raise InputError(
            "the model's answer is not finite: its weights or the images are out of all bounds; "
            "train anew with a lower train.learning_rate"
        )
    return found


def load(
    name_or_path: str | Path,
    device: str = "auto",
    thermal_scaling: str | None = None,
    rig: str | None = None,
    tile: int = TILE,
    panorama: bool = False,
) -> Predictor:
    """Load a trained model for prediction.

    Args:
        name_or_path: A run folder, a model folder, or a hub id `owner/name`.
        device: `auto` (a GPU if there is one), `cpu`, `cuda`, `mps`, ...
        thermal_scaling: Where thermal values come in another unit than in training: 8-bit, frame
            or LOW,HIGH.
        rig: Where the cameras stand otherwise than in training: resize, or a calibration file.
        tile: Larger images are predicted in overlapping tiles of this side, in pixels.
        panorama: Images go all around: they are predicted without a seam at their left and right
            edge.

    Raises:
        InputError: There is no such model, or its files do not fit together.

    Example:
        >>> model = samantic.load("runs/demo/fused")
        >>> model.predict(rgb="rgb.png", thermal="thermal.png").labels.shape
        (480, 640)
    """
    network, info = load_model(name_or_path)
    camera = info.camera.changed(thermal_scaling, rig)
    return Predictor(network, info, device, camera, tile, panorama)


def choose_device(name: str = "auto") -> torch.device:
    """A device by its name; `auto` is a GPU if there is one."""
    if name != "auto":
        return torch.device(name)
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    return torch.device("cpu") if accelerator is None else accelerator


def overlay(
    background: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    palette: tuple[tuple[int, int, int], ...],
    opacity: float = 0.5,
) -> Image.Image:
    """Blend class colours over an image; class 0 and ignored pixels are left clear.

    Args:
        background: (H, W, 3) uint8.
        labels: (H, W) uint8.
        palette: RGB colour of each class, 0..255.
        opacity: Share of the colour, 0..1.
    """
    colours = np.zeros((256, 3), np.float32)
    colours[: len(palette)] = palette
    clear = (labels == 0) | (labels >= len(palette))
    share = np.where(clear, 0.0, opacity)[..., None].astype(np.float32)
    blended = (1 - share) * background + share * colours[labels]
    return Image.fromarray(blended.round().astype(np.uint8))


def class_shares(labels: NDArray[np.uint8], classes: tuple[str, ...]) -> dict[str, float]:
    """The share of the pixels of (H, W) labels that each class takes."""
    counts = np.bincount(labels.ravel(), minlength=len(classes))
    return {name: float(counts[i] / labels.size) for i, name in enumerate(classes)}
