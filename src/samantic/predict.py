"""A trained model at work on pairs: one by one in Python, or folder by folder."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from samantic.checkpoint import ModelInfo, load_model
from samantic.data.camera import Camera
from samantic.data.folders import stems
from samantic.data.images import ImageLike, open_image, rgb_array, thermal_array
from samantic.data.pairs import Files, read_pair, to_tensor
from samantic.errors import InputError
from samantic.files import read_json, replacing, write_json
from samantic.models import SARTM
from samantic.tiling import blend_tiles

TILE = 1536
"""Images with a longer side than this many pixels are predicted in tiles of this side."""


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
        network: The network; its LoRA updates are merged.
        info: Its options, classes and colours.
        device: `auto` (a GPU if there is one), `cpu`, `cuda`, `mps`, ...
        camera: How thermal images become what the network reads; None means as in training.
        tile: Images with a longer side than this many pixels are predicted in overlapping tiles of
            this side.
    """

    def __init__(
        self,
        network: SARTM,
        info: ModelInfo,
        device: str = "auto",
        camera: Camera | None = None,
        tile: int = TILE,
    ) -> None:
        self.camera = info.camera if camera is None else camera
        if device == "auto":
            accelerator = torch.accelerator.current_accelerator(check_available=True)
            device = "cpu" if accelerator is None else accelerator.type
        self.info, self.tile = info, tile
        self.device = torch.device(device)
        self.network = network.eval().to(self.device)
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

    @torch.inference_mode()
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
        height, width = next((x.shape[-2:] for x in images if x is not None), (0, 0))
        if max(height, width) > self.tile:
            parts = partial(self._probabilities, *images)
            confidence, labels = blend_tiles(parts, height, width, self.tile)
        else:
            confidence, labels = self._probabilities(*images).max(0)
        shown = images[0] if images[0] is not None else images[1]
        if shown is None:  # pragma: no cover - the network has refused it above
            raise InputError("no image was given")
        background = (255 * shown).round().byte().expand(3, -1, -1).permute(1, 2, 0).numpy()
        return Prediction(
            labels.byte().cpu().numpy(),
            confidence.cpu().numpy(),
            self.info.classes,
            self.info.palette,
            background,
        )

    def _probabilities(
        self,
        rgb: Tensor | None,
        thermal: Tensor | None,
        rows: slice = slice(None),
        columns: slice = slice(None),
    ) -> Tensor:
        """Class probabilities (K, h, w) of a part of a pair of (C, H, W) images."""
        parts = (None if x is None else x[None, :, rows, columns] for x in (rgb, thermal))
        try:
            out = self.network(*(None if x is None else x.to(self.device) for x in parts))
        except ValueError as error:
            raise InputError(f"the pair does not fit the model: {error}") from None
        probabilities: Tensor = out.probabilities(self.info.model.prediction)[0]
        return probabilities


def load(
    name_or_path: str | Path,
    device: str = "auto",
    thermal_scaling: str | None = None,
    rig: str | None = None,
    tile: int = TILE,
) -> Predictor:
    """Load a trained model for prediction.

    Args:
        name_or_path: A run folder, a model folder, or a hub id `owner/name`.
        device: `auto` (a GPU if there is one), `cpu`, `cuda`, `mps`, ...
        thermal_scaling: Where thermal values come in another unit than in training: 8-bit, frame
            or LOW,HIGH.
        rig: Where the cameras stand otherwise than in training: resize, or a calibration file.
        tile: Larger images are predicted in overlapping tiles of this side, in pixels.

    Raises:
        InputError: There is no such model, or its files do not fit together.

    Example:
        >>> model = samantic.load("runs/demo/fused")
        >>> model.predict(rgb="rgb.png", thermal="thermal.png").labels.shape
        (480, 640)
    """
    network, info = load_model(name_or_path)
    return Predictor(network, info, device, info.camera.changed(thermal_scaling, rig), tile)


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


def find_files(rgb: Path | None, thermal: Path | None, rgbt: Path | None) -> list[Files]:
    """Pair the images of files or folders by stem.

    Args:
        rgb: RGB image or folder, or None.
        thermal: Thermal image or folder, or None.
        rgbt: 4-channel image or folder, instead of the other two.

    Raises:
        InputError: Nothing was given, a folder is empty, or a partner is missing.
    """
    if (rgbt is None) == (rgb is None and thermal is None):
        raise InputError("give --rgb and/or --thermal, or --rgbt alone")
    if rgbt is not None:
        return [Files(stem, path, path) for stem, path in _images(rgbt).items()]
    if rgb is not None and thermal is not None and rgb.is_file() and thermal.is_file():
        return [Files(rgb.stem, rgb, thermal)]
    colour, heat = (None if path is None else _images(path) for path in (rgb, thermal))
    if colour is not None and heat is not None:
        for stem in sorted(colour.keys() ^ heat.keys()):
            here, there = (colour, thermal) if stem in colour else (heat, rgb)
            raise InputError(
                f"{here[stem]}: no partner {stem} in {there}; add it, or give one modality alone"
            )
    names = colour if colour is not None else heat
    return [
        Files(
            stem,
            None if colour is None else colour[stem],
            None if heat is None else heat[stem],
        )
        for stem in names or {}
    ]


def predict_files(
    predictor: Predictor, files: list[Files], out: Path, fingerprint: str
) -> dict[str, Any]:
    """Predict pairs into a folder: labels/, overlays/ and summary.json.

    Pairs whose files are there already are not predicted again, so a run continues where it
    stopped. Pairs that cannot be predicted are left out.

    Args:
        predictor: The model.
        files: The pairs.
        out: Folder to write to.
        fingerprint: Identity of the model's weights.

    Returns:
        The summary: model, number of frames, per frame its size and class shares, and why others
        failed.

    Raises:
        InputError: `out` holds another model's predictions.
    """
    summary_path = out / "summary.json"
    if summary_path.exists() and read_json(summary_path).get("model") != fingerprint:
        raise InputError(f"{out}: holds another model's predictions; give another --out")
    write_json(summary_path, {"model": fingerprint, "complete": False})
    frames, failed = {}, {}
    for pair in tqdm(files, desc="predict", unit="pair", disable=None):
        try:
            ids = _predict_pair(predictor, pair, out)
        except InputError as error:
            failed[pair.name] = str(error)
            continue
        frames[pair.name] = {
            "size": list(ids.shape),
            "shares": class_shares(ids, predictor.info.classes),
        }
    summary = {
        "model": fingerprint,
        "complete": not failed,
        "count": len(frames),
        "frames": frames,
        "failed": failed,
    }
    write_json(summary_path, summary)
    return summary


def _predict_pair(predictor: Predictor, pair: Files, out: Path) -> NDArray[np.uint8]:
    """The labels of a pair: those in `out`, or else predicted and saved there."""
    done = out / "labels" / f"{pair.name}.png"
    if done.exists():
        return np.asarray(open_image(done))
    rgb, raw = read_pair(pair)
    see = predictor.camera.see
    thermal = None if raw is None else see(raw, rgb, str(pair.thermal), str(pair.rgb))
    prediction = predictor.segment(rgb, thermal)
    prediction.save(out, pair.name)
    return prediction.labels


def _images(path: Path) -> dict[str, Path]:
    if path.is_file():
        return {path.stem: path}
    found = stems(path)
    if not found:
        raise InputError(f"{path}: no images in this folder")
    return found
