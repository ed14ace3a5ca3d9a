"""One way to open a trained model, be it a folder or an exported file."""

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
        name_or_path: A run folder, a model folder, a hub id `owner/name`, whose commit, tag or
            branch `owner/name@revision` pins, or a file that `samantic export` has written
            (NAME.onnx, NAME.xml). Such a file gives an `ExportedModel`, which
            answers `predict`, `predict_batch` and `predict_each` without torch, on the CPU; of the
            options below it takes `panorama`, `only` and `threshold`, since the others are part of
            it.
        device: `auto` (a GPU if there is one), `cpu`, `cuda`, `cuda:1`, `mps`, ..., or a number.
        thermal_scaling: Where thermal values come in another unit than in training: 8-bit, frame,
            LOW,HIGH or (low, high).
        rig: Where the cameras stand otherwise than in training: resize, or a calibration file.
        tile: Larger images are predicted in overlapping tiles of this side, in pixels of what the
            network sees; None for 1536, or what the model saw in training where that is more.
        panorama: Whether images go all around, and are predicted without a seam at their left and
            right edge; None means as the images that the model learnt from.
        size: Short side in pixels that images are brought to for the network; 0 leaves them as they
            are, None means as in the model's evaluation after training.
        tta: Test-time augmentation: `flip` (2 passes of the network), `scales` (2) or `all` (4)
            average the answers to several views of an image.
        only: Names of the classes that are wanted; pixels of others become 255, unknown.
        threshold: Least confidence in 0..1, of all classes or by name, as {"person": 0.6}; pixels
            below it become 255, unknown.
        thermal_inverted: Whether hot is dark in thermal images, and is turned over; None means as
            in training.

    Raises:
        InputError: There is no such model, its files do not fit together, the device is not there,
            there is no such class, or no network can read tiles or images of this side.

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
    """The exported file, or the model folder, that a model's name stands for.

    Raises:
        InputError: There is none.
    """
    if is_exported(name_or_path):
        return Path(name_or_path)
    from samantic.predict.model_folder import find_model

    return find_model(name_or_path)


def info_at(place: Path) -> ModelInfo:
    """What is known of a model that `find` has found.

    Raises:
        InputError: It is malformed.
    """
    return ExportedModel(place).info if is_exported(place) else read_info(place)
