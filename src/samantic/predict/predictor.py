"""A trained model in PyTorch that predicts pairs from cameras or files."""

from __future__ import annotations

from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from samantic.config.networks import TestTime
from samantic.data.camera import RawPair
from samantic.data.sensors import given
from samantic.errors import InputError
from samantic.models.devices import Device, choose_device
from samantic.predict.asking import PairPredictor
from samantic.predict.classifier import Classifier
from samantic.predict.model_folder import find_model, fingerprint, load_model
from samantic.predict.prediction import Prediction
from samantic.predict.tiling import size_of, tile_of
from samantic.predict.tta import views_of


class Predictor(Classifier, PairPredictor):
    """A trained network, ready to predict pairs of any size; see `Classifier` for its arguments.

    Attributes:
        folder: The model's folder, if it was loaded from one.
    """

    folder: Path | None = None

    @cached_property
    def fingerprint(self) -> str:
        """Identity of the model: a digest of the files that it was loaded from."""
        if self.folder is None:
            raise ValueError("this model was not loaded from a folder, so it has no fingerprint")
        return fingerprint(self.folder)

    def export(
        self, out: str | Path, format: str = "onnx", precision: str = "fp32", **options: Any
    ) -> Any:
        """Write the model as one file that runs without torch, and check the file's answers.

        Args:
            out: NAME.onnx or NAME.xml; the comparison is written to NAME.json beside it.
            format: `onnx` or `openvino`.
            precision: `fp32`, `fp16`, `bf16` (OpenVINO only) or `int8` (which needs `data`).
            options: Other fields of `samantic.export.job.Order`, such as `size` and `batch`.

        Returns:
            The `samantic.export.proof.Proof`.

        Raises:
            InputError: The model cannot be exported in this way, or the file's answers differ.
        """
        job = import_module("samantic.export.job")  # a higher layer, so it is imported on use
        order = job.Order(format, precision, **options)
        return job.export(self, order, job.ending_of(Path(out), order.format))

    def _predict(self, pairs: list[RawPair], probabilities: bool) -> list[Prediction | InputError]:
        """Predict pairs of one size; an error takes the place of a prediction that fails."""
        try:
            rgb, thermal = self._images(pairs)
            found = self.classify(rgb, thermal, probabilities=probabilities)
        except InputError as error:
            if len(pairs) == 1:
                return [error]
            return [one for pair in pairs for one in self._predict([pair], probabilities)]
        predictions: list[Prediction | InputError] = []
        for i, (colour, _) in enumerate(pairs):
            heat = None if thermal is None else (255 * thermal[i, 0]).round().byte().numpy()
            background = np.dstack(3 * [heat]) if colour is None and heat is not None else colour
            assert background is not None  # noqa: S101  # otherwise the network has refused the pair
            predictions.append(
                Prediction(
                    found.labels[0, i].byte().numpy(),
                    found.confidence[0, i].numpy(),
                    self.info.classes,
                    self.info.palette,
                    background,
                    None if found.probabilities is None else found.probabilities[0, i].numpy(),
                    given({"rgb": colour, "thermal": heat}),
                )
            )
        return predictions

    @torch.inference_mode()
    def _images(self, pairs: list[RawPair]) -> tuple[Tensor | None, Tensor | None]:
        """The network's input (N, C, H, W) for pairs of one size; thermal is scaled, then warped.

        Its place is the RGB image, or without one the `canvas`, if that is known.
        """
        raw = (
            None if images[0] is None else torch.from_numpy(np.stack(images))
            for images in zip(*pairs, strict=True)
        )
        rgb, thermal = self.deployed.images(*raw)
        size = self.canvas if rgb is None else (rgb.shape[-2], rgb.shape[-1])
        if self.camera.rig is not None and size is not None and thermal is not None:
            warped = [self.camera.rig.warp(heat.numpy(), size) for heat in thermal[:, 0]]
            thermal = torch.from_numpy(np.stack(warped))[:, None]
        return rgb, thermal


def load(
    name_or_path: str | Path,
    device: Device = "auto",
    thermal_scaling: str | tuple[float, float] | None = None,
    rig: str | None = None,
    tile: int | None = None,
    panorama: bool | None = None,
    size: int | None = None,
    tta: TestTime | None = None,
    thermal_inverted: bool | None = None,
) -> Predictor:
    """Load a trained model from its folder, in PyTorch; `samantic.load` explains the arguments.

    Raises:
        InputError: There is no such model, its files do not fit together, the device is not
            available, or tile or size is out of range.
    """
    device = choose_device(device)
    tile_of(tile, None), size_of(size, None), views_of(tta)  # refuse them before any file is read
    folder = find_model(name_or_path)
    network, info = load_model(folder)
    camera = info.camera.changed(thermal_scaling, rig, thermal_inverted)
    predictor = Predictor(network, info, device, camera, tile, panorama, size, tta)
    predictor.folder = folder
    return predictor
