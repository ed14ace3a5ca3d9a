"""One function to open a trained model, from a folder or an exported file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from samantic.config.networks import TestTime
from samantic.errors import InputError
from samantic.predict.info import EXPORTED, ModelInfo, read_info
from samantic.predict.selection import Threshold, selection_of
from samantic.runtime.exported import ExportedModel

if TYPE_CHECKING:
    from samantic.models.devices import Device
    from samantic.predict.predictor import Predictor


def load(
    name_or_path: str | Path,
    device: Device = "auto",
    thermal_scaling: str | tuple[float, float] | None = None,
    rig: str | None = None,
    tile: int | None = None,
    panorama: bool | None = None,
    size: int | None = None,
    tta: TestTime | None = None,
    only: Sequence[str] | None = None,
    threshold: Threshold | None = None,
    thermal_inverted: bool | None = None,
) -> Predictor:
    """Load a trained model for prediction.

    Args:
        name_or_path: `nano`, `nano-small` or `sartm-nano`, which come with the package, a run
            folder, a model folder, a hub id `owner/name` (`owner/name@revision` pins a commit, tag
            or branch), or a file that `samantic export` has written (NAME.onnx, NAME.xml). Such a
            file gives an `ExportedModel`, which answers `predict`, `predict_batch` and
            `predict_each` without torch, on the CPU. It accepts only the options `panorama`, `only`
            and `threshold`, since the others are part of the file.
        device: `auto` (a GPU if there is one), `cpu`, `cuda`, `cuda:1`, `mps`, ..., or a number.
        thermal_scaling: 8-bit, frame, LOW,HIGH or (low, high), if thermal values have another unit
            than in training.
        rig: resize, or a calibration file, if the cameras are mounted differently than in training.
        tile: Side of tiles in pixels of the network's input. Larger images are predicted in
            overlapping tiles. None means 1536, or the network's view in training if that is larger.
        panorama: Whether images cover 360 degrees, and are predicted without a seam at their left
            and right edges; None means as the training images.
        size: Short side in pixels to which images are resized for the network; 0 does not resize,
            None means as in the model's evaluation after training.
        tta: Test-time augmentation: `flip` (2 passes of the network), `scales` (2) or `all` (4)
            average the probabilities of several views of an image.
        only: Names of the wanted classes; pixels of other classes become 255, unknown.
        threshold: Smallest confidence in 0..1, for all classes or by name, as {"person": 0.6};
            pixels below it become 255, unknown.
        thermal_inverted: Whether hot is dark in thermal images, so that they are inverted; None
            means as in training.

    Raises:
        InputError: There is no such model, its files do not fit together, the device is not
            available, there is no such class, or tile or size is out of range.

    Example:
        >>> model = samantic.load("runs/demo/fused")
        >>> model.predict(rgb="rgb.png", thermal="thermal.png").labels.shape
        (480, 640)
    """
    options: dict[str, Any] = {
        "thermal_scaling": thermal_scaling,
        "rig": rig,
        "tile": tile,
        "size": size,
        "tta": tta,
        "thermal_inverted": thermal_inverted,
    }
    if not is_exported(name_or_path):
        from samantic.predict.predictor import load as load_folder

        predictor = load_folder(name_or_path, device, panorama=panorama, **options)
        predictor.selection = selection_of(predictor.classes, only, threshold)
        return predictor
    given = [name for name, value in options.items() if value is not None]
    if device not in ("auto", "cpu"):
        given.append("device")
    if given:
        raise InputError(
            f"{name_or_path}: an exported file has its own {', '.join(given)}; export it with what "
            "you want, or load the model that it was made from"
        )
    model = ExportedModel(name_or_path, panorama=panorama)
    model.selection = selection_of(model.classes, only, threshold)
    return cast("Predictor", model)


def is_exported(name_or_path: str | Path) -> bool:
    """Whether a model's name is that of an exported file."""
    return Path(name_or_path).suffix in EXPORTED and not Path(name_or_path).is_dir()


def find(name_or_path: str | Path) -> Path:
    """The exported file or the model folder for a model's name.

    Raises:
        InputError: There is none.
    """
    if is_exported(name_or_path):
        return Path(name_or_path)
    from samantic.predict.model_folder import find_model

    return find_model(name_or_path)


def info_at(place: Path) -> ModelInfo:
    """The description of a model at a place that `find` returned.

    Raises:
        InputError: It is malformed.
    """
    return ExportedModel(place).info if is_exported(place) else read_info(place)
