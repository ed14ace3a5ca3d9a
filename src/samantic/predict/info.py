"""The description of a model in config.json of its folder."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import samantic
from samantic.config.classes import MOST_CLASSES
from samantic.config.networks import AdaptConfig, ModelConfig
from samantic.config.options import fits, numbers
from samantic.config.values import section
from samantic.data.camera import ALIGNED_8_BIT, Camera, stored_camera
from samantic.data.cards.card import Projection
from samantic.data.cards.catalog import CATALOG
from samantic.errors import InputError
from samantic.files import MIB, read_json
from samantic.models.students.shapes import SegFormerShape

CONFIG = "config.json"

EXPORTED = {".onnx": "onnx", ".xml": "openvino"}
"""Endings of exported files, and the format of each."""


@dataclass(frozen=True)
class ModelInfo:
    """All that is needed to build and use a trained model.

    Attributes:
        model: The network's options.
        adapt: How its encoder was adapted.
        classes: Class names by label id.
        palette: RGB colour of each class, 0..255.
        dataset: Title of its training data.
        language: Source of the vectors of the class names; None without language.
        terms: The word of each class in that source; None for a class that was left out.
        camera: How thermal images became the network's input.
        shape: Sizes of a trained student; None for SARTM, and before a student is built.
        eval_size: Short side in pixels to which images are resized for the network; None does not
            resize.
        origin: A sentence on how the model was made, if not by training on labels.
        base_fingerprint: Fingerprint of the tensors that the base provides; None where all tensors
            are stored.
        view: Height and width in pixels of the network's input in training; None for models of
            older versions.
        projection: Projection of the training images. A model of panoramas predicts across their
            left and right edges.
        confidence: 95 % prediction interval of a frame's mean confidence, over the validation
            split, or over the training split where there is no validation split; None for models of
            older versions.
    """

    model: ModelConfig
    adapt: AdaptConfig
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    dataset: str
    language: str | None = None
    terms: tuple[str | None, ...] = ()
    camera: Camera = ALIGNED_8_BIT
    shape: SegFormerShape | None = None
    eval_size: int | None = None
    origin: str = ""
    base_fingerprint: str | None = None
    view: tuple[int, int] | None = None
    projection: Projection = "perspective"
    confidence: tuple[float, float] | None = None


def read_info(folder: Path) -> ModelInfo:
    """Read a model folder's config.json.

    Raises:
        InputError: The file is missing or malformed.
    """
    place = folder / CONFIG
    return info_of(read_json(place, MIB), str(place), "the one saved with the weights")


def info_of(values: Any, place: str, whole: str) -> ModelInfo:
    """Parse the content of a config.json.

    Args:
        values: The content.
        place: Where it comes from, for an error.
        whole: What to take in its place, for an error.

    Raises:
        InputError: The content is malformed.
    """
    try:
        _check(values)
        return ModelInfo(
            model=section(ModelConfig, values["model"], "model"),
            adapt=AdaptConfig(**values["adapt"]),
            classes=tuple(values["classes"]),
            palette=tuple((r, g, b) for r, g, b in values["palette"]),
            dataset=values["dataset"],
            language=values.get("language"),
            terms=tuple(values.get("terms", ())),
            camera=stored_camera(values),
            shape=_stored_shape(values.get("shape")),
            eval_size=values.get("eval_size"),
            origin=values.get("origin", ""),
            base_fingerprint=values.get("base_fingerprint"),
            view=_stored_view(values.get("view")),
            projection=_stored_projection(values),
            confidence=_stored_range(values.get("confidence")),
        )
    except InputError as error:
        reason = str(error)
    except (AttributeError, KeyError, TypeError, ValueError):
        reason = "a key is missing, unknown or of another type"
    raise InputError(f"{place}: not a samantic model ({reason}); take {whole}")


def stored_info(info: ModelInfo) -> dict[str, Any]:
    """The content of config.json; `info_of` reads it back."""
    values = {"samantic": samantic.__version__, **asdict(info)}
    del values["camera"]
    return values | info.camera.stored()


def _check(values: dict[str, Any]) -> None:
    """Refuse classes, colours and texts of a wrong type or number, before anything is built.

    Raises:
        InputError: One of them is wrong.
    """
    classes, colours, terms = values["classes"], values["palette"], values.get("terms", [])
    if not fits(classes, list[str]) or not 1 <= len(classes) <= MOST_CLASSES:
        raise InputError(f"classes must be 1 to {MOST_CLASSES} names")
    if (
        not fits(colours, list[tuple[int, int, int]])
        or len(colours) != len(classes)
        or not all(0 <= number <= 255 for number in numbers(colours))
    ):
        raise InputError("palette must be red, green and blue in 0..255 of every class")
    if not fits(terms, list[str | None]) or len(terms) not in (0, len(classes)):
        raise InputError("terms must be a name or null for every class")
    for key in ("dataset", "origin", "language", "base_fingerprint", "thermal_scaling"):
        if not fits(values.get(key), str | None):
            raise InputError(f"{key} must be a text")


def _stored_view(values: list[int] | None) -> tuple[int, int] | None:
    if values is None:
        return None
    height, width = values
    return int(height), int(width)


def _stored_range(values: list[float] | None) -> tuple[float, float] | None:
    """Check the range of the confidence.

    Raises:
        InputError: The values are no range within 0..1.
    """
    if values is None:
        return None
    if not fits(values, tuple[float, float]) or not 0 <= values[0] <= values[1] <= 1:
        raise InputError("confidence must be two numbers in 0..1, the smaller first")
    return float(values[0]), float(values[1])


def _stored_projection(values: dict[str, Any]) -> Projection:
    """The projection in config.json; for older models, that of their data set.

    Raises:
        InputError: The value is no projection.
    """
    cards = {card.title: card.projection for card in CATALOG.values()}
    found = values.get("projection") or cards.get(values["dataset"]) or "perspective"
    if found not in get_args(Projection):
        raise InputError(f"projection must be one of {', '.join(get_args(Projection))}")
    projection: Projection = found
    return projection


def _stored_shape(values: dict[str, Any] | None) -> SegFormerShape | None:
    """The sizes of a student from config.json, where lists replace tuples."""
    if values is None:
        return None
    decoder, stages = values["decoder"], values.keys() - {"decoder"}
    return SegFormerShape(decoder=decoder, **{key: tuple(values[key]) for key in stages})
