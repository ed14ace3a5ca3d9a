"""A trained model at work on pairs: one by one in Python, or folder by folder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from samantic.config.train import Head
from samantic.data.camera import Camera
from samantic.data.images import ImageLike, rgb_array, thermal_array
from samantic.data.resize import shown_scale
from samantic.data.thermal import RawThermal, refuse_unit
from samantic.errors import InputError
from samantic.models import Network, Output
from samantic.models.devices import Device, choose_device
from samantic.predict.deployed import Deployed
from samantic.predict.info import ModelInfo
from samantic.predict.model_folder import find_model, fingerprint, load_model
from samantic.predict.prediction import Prediction
from samantic.predict.tiling import Blend, Tiling, blend_tiles, size_of, tile_of, tiles

BATCH_SIZES = {"cpu": 1}
"""Pairs or tiles that go through the network together on a kind of device. Several at once are no
faster on a CPU."""

BATCH_SIZE = 8
"""Of the others."""

RawPair = tuple[NDArray[np.uint8] | None, RawThermal | None]
"""RGB (H, W, 3) and thermal (h, w) as the cameras gave them, of which one may be missing."""


class Classified(NamedTuple):
    """What h heads say of N pairs, on the CPU.

    Attributes:
        labels: (h, N, H, W) int64, class ids.
        confidence: (h, N, H, W), their probability.
        probabilities: (h, N, K, H, W), of all classes; None where they were not asked for.
        output: What the network computed; None where it was asked tile by tile.
    """

    labels: Tensor
    confidence: Tensor
    probabilities: Tensor | None
    output: Output | None


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
        panorama: Whether images go all around: their left and right edge meet, and tiles lie across
            them. None means as the images that the model learnt from.
        size: Short side in pixels that images are brought to for the network, their aspect kept;
            labels and confidence come in the images' own size. 0 leaves images as they are, None
            means as in the model's evaluation after training.
        folder: The model's, where it was loaded from one.

    Attributes:
        deployed: The one path from raw images to labels.
        batch_size: Pairs or tiles that go through the network together, if not said otherwise.

    Raises:
        InputError: The device is not there, or no network can read tiles or images of this side.
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
        folder: Path | None = None,
    ) -> None:
        self.camera = info.camera if camera is None else camera
        self.info, self.folder = info, folder
        self.panorama = info.projection == "equirectangular" if panorama is None else panorama
        self.tile, self.size = tile_of(tile, info.view), size_of(size, info.eval_size)
        self.device = choose_device(device)
        self.batch_size = BATCH_SIZES.get(self.device.type, BATCH_SIZE)
        deployed = Deployed(network.to(self.device), info, self.camera.scaling, self.size)
        # channels_last makes convolutions faster on CPUs; torch's types lack this call
        self.deployed: Deployed = deployed.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network, self.head = network, deployed.head

    @property
    def options(self) -> dict[str, Any]:
        """All that its answers depend on besides the network and the images, as JSON has it."""
        height, width = self.tile
        tile = height if height == width else [height, width]
        where = {"panorama": self.panorama, "tile": tile, "size": self.size}
        return where | self.camera.stored()

    @cached_property
    def fingerprint(self) -> str:
        """Identity of the model: a digest of the files that it was loaded from."""
        if self.folder is None:
            raise ValueError("this model was not loaded from a folder, so it has no fingerprint")
        return fingerprint(self.folder)

    def predict(
        self,
        rgb: ImageLike | None = None,
        thermal: ImageLike | None = None,
        *,
        probabilities: bool = False,
    ) -> Prediction:
        """Segment a pair.

        Args:
            rgb: Path, PIL image or (H, W, 3) uint8; None if the camera is missing.
            thermal: Path, PIL image or (H, W) array of uint8, uint16 or floats; None if the camera
                is missing.
            probabilities: Whether the prediction keeps those of all classes.

        Raises:
            InputError: An image cannot be used, sizes differ, all thermal values lie at one end
                beyond the range of the model, or it reads neither image.
        """
        return self.predict_batch([(rgb, thermal)], probabilities=probabilities)[0]

    def predict_batch(
        self,
        pairs: Iterable[tuple[ImageLike | None, ImageLike | None]],
        batch_size: int | None = None,
        *,
        probabilities: bool = False,
    ) -> list[Prediction]:
        """Segment pairs; those of one size go through the network together.

        Args:
            pairs: RGB and thermal of each pair, as `predict` takes them.
            batch_size: Pairs that go together at most; None means `batch_size` of the predictor.
            probabilities: Whether predictions keep those of all classes.

        Raises:
            InputError: As `predict` raises it, of the first pair that cannot be predicted. See
                `predict_each` to go on past it.
        """
        found: list[Prediction] = []
        for answer in self.predict_each(map(self._read, pairs), batch_size, probabilities):
            if isinstance(answer, InputError):
                place = f"pair {len(found)}: " if len(found) else ""
                raise InputError(f"{place}{answer}") from answer
            found.append(answer)
        return found

    def predict_each(
        self,
        pairs: Iterable[RawPair | InputError],
        batch_size: int | None = None,
        probabilities: bool = False,
    ) -> Iterator[Prediction | InputError]:
        """Segment pairs as they come; no more are read ahead than go together.

        Args:
            pairs: What the cameras gave, or why a pair could not be read.
            batch_size: As in `predict_batch`.
            probabilities: Whether predictions keep those of all classes.

        Yields:
            The prediction of each pair in their order; in its place, why there is none.
        """
        count = self.batch_size if batch_size is None else batch_size
        if count < 1:
            raise InputError(f"batch_size is {count}; give 1 or more")
        left = iter(pairs)
        while ahead := list(islice(left, count)):
            answers: dict[int, Prediction | InputError] = {}
            alike: defaultdict[Any, dict[int, RawPair]] = defaultdict(dict)
            for place, pair in enumerate(ahead):
                if isinstance(pair, InputError):
                    answers[place] = pair
                else:
                    kind = tuple(None if x is None else (x.shape, x.dtype) for x in pair)
                    alike[kind][place] = pair
            for group in alike.values():
                found = self._predict(list(group.values()), probabilities)
                answers |= zip(group, found, strict=True)
            yield from (answers[place] for place in range(len(ahead)))

    @torch.inference_mode()
    def classify(
        self,
        rgb: Tensor | None,
        thermal: Tensor | None,
        heads: Sequence[Head] = (),
        *,
        probabilities: bool = False,
    ) -> Classified:
        """Class ids of pairs of one size, in tiles where they are large.

        Args:
            rgb: (N, 3, H, W) in 0..1, or None.
            thermal: (N, 1, H, W) in 0..1 as the model's camera sees it, or None.
            heads: Heads that answer, all from one pass; none means the model's.
            probabilities: Whether to return those of all classes.

        Raises:
            InputError: Sizes differ, the model reads neither image, or its answer is not finite.
        """
        given = [x for x in (rgb, thermal) if x is not None]
        tiling = Tiling(self.tile, self.size, self.panorama)
        alike = len({x.shape[-2:] for x in given}) == 1  # if not, the network says so
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
        """What the network computes of (N, C, H, W) images in 0..1, each in one piece.

        Raises:
            InputError: Sizes differ, or the model reads neither image.
        """
        return self._ask(rgb, thermal)[1]

    def _read(self, pair: tuple[ImageLike | None, ImageLike | None]) -> RawPair | InputError:
        """A pair as arrays, or why it cannot be used."""
        rgb, thermal = pair
        try:
            if rgb is None and thermal is None:
                raise InputError("predict: no image was given; give rgb, thermal or both")
            colour = None if rgb is None else rgb_array(rgb)
            raw = None if thermal is None else thermal_array(thermal)
            if raw is not None:
                option = "thermal_scaling of load"
                refuse_unit([("thermal", raw)], self.camera.scaling, "thermal", option)
                self.camera.check(raw, colour)
        except InputError as error:
            return error
        return colour, raw

    def _predict(self, pairs: list[RawPair], probabilities: bool) -> list[Prediction | InputError]:
        """The predictions of pairs of one size; why there is none in place of one."""
        try:
            rgb, thermal = self._images(pairs)
            found = self.classify(rgb, thermal, probabilities=probabilities)
        except InputError as error:
            if len(pairs) == 1:
                return [error]
            return [one for pair in pairs for one in self._predict([pair], probabilities)]
        predictions: list[Prediction | InputError] = []
        for i, (colour, _) in enumerate(pairs):
            if colour is None and thermal is not None:
                heat = (255 * thermal[i, 0]).round().byte().numpy()
                colour = np.dstack(3 * [heat])
            assert colour is not None  # noqa: S101  # else the network has refused the pair
            predictions.append(
                Prediction(
                    found.labels[0, i].byte().numpy(),
                    found.confidence[0, i].numpy(),
                    self.info.classes,
                    self.info.palette,
                    colour,
                    None if found.probabilities is None else found.probabilities[0, i].numpy(),
                )
            )
        return predictions

    @torch.inference_mode()
    def _images(self, pairs: list[RawPair]) -> tuple[Tensor | None, Tensor | None]:
        """What the network reads of pairs of one size, (N, C, H, W); thermal in RGB's place."""
        raw = (
            None if images[0] is None else torch.from_numpy(np.stack(images))
            for images in zip(*pairs, strict=True)
        )
        rgb, thermal = self.deployed.images(*raw)
        if self.camera.rig is not None and rgb is not None and thermal is not None:
            size = rgb.shape[-2], rgb.shape[-1]
            warped = [self.camera.rig.warp(heat.numpy(), size) for heat in thermal[:, 0]]
            thermal = torch.from_numpy(np.stack(warped))[:, None]
        return rgb, thermal

    def _classify_tiles(
        self,
        rgb: Tensor | None,
        thermal: Tensor | None,
        heads: Sequence[Head],
        tile: tuple[int, int],
        probabilities: bool,
    ) -> Classified:
        """`classify` image by image, in tiles of which several go together."""
        height, width = next(x.shape[-2:] for x in (rgb, thermal) if x is not None)
        scale = shown_scale((height, width), self.size)

        def blend(colour: Tensor | None, heat: Tensor | None) -> Blend:
            def predict(rows: slice, columns: Tensor) -> Tensor:
                parts = tiles(colour, rows, columns), tiles(heat, rows, columns)
                return self._ask(*parts, heads=heads, scale=scale)[0].transpose(0, 1)

            options = (self.panorama, self.batch_size, probabilities)
            return blend_tiles(predict, height, width, tile, *options)

        count = len(next(x for x in (rgb, thermal) if x is not None))
        each = [
            blend(None if rgb is None else rgb[i], None if thermal is None else thermal[i])
            for i in range(count)
        ]
        kept = [part.probabilities for part in each if part.probabilities is not None]
        return Classified(
            torch.stack([part.labels for part in each], dim=1),
            torch.stack([part.confidence for part in each], dim=1),
            torch.stack(kept, dim=1) if kept else None,
            None,
        )

    def _ask(
        self,
        rgb: Tensor | None,
        thermal: Tensor | None,
        heads: Sequence[Head] = (),
        scale: float | None = None,
    ) -> tuple[Tensor, Output]:
        """`Deployed.probabilities` on the device.

        Raises:
            InputError: Sizes differ, or the model reads neither image.
        """
        colour, heat = (None if x is None else x.to(self.device) for x in (rgb, thermal))
        try:
            return self.deployed.probabilities(colour, heat, heads=heads, scale=scale)
        except ValueError as error:
            raise InputError(f"the pair does not fit the model: {error}") from None


def load(
    name_or_path: str | Path,
    device: Device = "auto",
    thermal_scaling: str | None = None,
    rig: str | None = None,
    tile: int | None = None,
    panorama: bool | None = None,
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
        panorama: Whether images go all around, and are predicted without a seam at their left and
            right edge; None means as the images that the model learnt from.
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
    tile_of(tile, None), size_of(size, None)  # before any file is read
    folder = find_model(name_or_path)
    network, info = load_model(folder)
    camera = info.camera.changed(thermal_scaling, rig)
    return Predictor(network, info, device, camera, tile, panorama, size, folder)
