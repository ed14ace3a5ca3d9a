"""Responses to a prediction request: PNGs, and JSON with masks as COCO's run lengths."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from starlette.responses import JSONResponse, Response

from samantic.data.sensors import SENSORS
from samantic.display.confidence import confidence_levels
from samantic.display.ground import check_ground, ground_of
from samantic.errors import InputError
from samantic.predict.domain import unlike, warning
from samantic.predict.exchange import run_lengths
from samantic.predict.health import USED
from samantic.predict.prediction import Prediction
from samantic.predict.saving import label_image
from samantic.serve.models import Served
from samantic.serve.refusals import RefusedError
from samantic.serve.uploads import Asked

COMPRESSION = 3
"""Compression level of PNGs, 0..9: higher levels are slower and save little."""


def refuse_missing(asked: Asked, served: Served, states: Mapping[str, str]) -> None:
    """Refuse a request without an image that it needs.

    Raises:
        RefusedError: No image is left that the model reads, or the image to draw on is missing.
    """
    read = {name: states[name] for name in served.cameras}
    if set(read.values()) <= {"missing"}:
        needed = " or ".join(read)
        raise RefusedError("missing", f"{served.name} reads {needed}, and none was sent; send it")
    if not set(read.values()) & set(USED):
        told = ", ".join(f"{name} {state}" for name, state in read.items())
        raise RefusedError("missing", f"no camera works: {told}; send others, or leave out gate")
    if {"overlay", "ground"} & {asked.format, *asked.include}:
        rgb, thermal = (states[name] in USED for name in SENSORS)
        try:
            check_ground(asked.ground, rgb, thermal)
        except InputError as error:
            raise RefusedError("missing", str(error)) from None


def respond(found: Prediction, asked: Asked, served: Served) -> Response:
    """The response to a request.

    Args:
        found: The prediction, with the states of the cameras.
        asked: The content of the request.
        served: The model.

    Raises:
        InputError: The image to draw on was not sent.
    """
    if asked.format == "json":
        return JSONResponse(as_json(found, asked, served))
    if asked.format == "labels":
        picture: Image.Image | None = label_image(found.labels, found.classes)
    else:
        picture = _picture(asked.format, found, asked)
    assert picture is not None  # noqa: S101  # every format has a picture
    return Response(_png(picture), media_type="image/png")


def as_json(found: Prediction, asked: Asked, served: Served) -> dict[str, Any]:
    """The content of a JSON response; see `respond`."""
    pictures = {name: _picture(name, found, asked) for name in asked.include}
    return {
        "model": served.name,
        "size": list(found.labels.shape),
        "seconds": found.seconds,
        "cameras": dict(found.cameras),
        "notes": _notes(found, served),
        "classes": _classes(found, served),
        "images": {
            name: f"data:image/png;base64,{base64.b64encode(_png(picture)).decode()}"
            for name, picture in pictures.items()
            if picture is not None
        },
    }


def _classes(found: Prediction, served: Served) -> list[dict[str, Any]]:
    """Pixels, share, mean confidence and mask of each class in the image."""
    flat = found.labels.ravel()
    pixels = np.bincount(flat, minlength=256)
    sums = np.bincount(flat, found.confidence.ravel(), minlength=256)
    return [
        {
            **one,
            "pixels": int(pixels[one["id"]]),
            "share": float(pixels[one["id"]] / flat.size),
            "confidence": float(sums[one["id"]] / pixels[one["id"]]),
            "segmentation": run_lengths(found.labels == one["id"]),
        }
        for one in served.told["classes"]
        if pixels[one["id"]]
    ]


def _notes(found: Prediction, served: Served) -> list[str]:
    """Notes for the user about the prediction."""
    notes = []
    for name, sensor in SENSORS.items():
        state = found.cameras[name]
        if state != "missing" and name not in served.cameras:
            notes.append(f"{served.name} does not read {sensor.title}; its image was not used")
        if state not in USED and name in served.cameras:
            notes.append(f"{sensor.title} is {state}; the labels are made without it")
    seen, confidence = served.model.info.confidence, {"": float(found.confidence.mean())}
    if told := warning(confidence, seen, unlike(confidence, seen)):
        notes.append(told)
    return notes


def _picture(name: str, found: Prediction, asked: Asked) -> Image.Image | None:
    """A picture by its name; None if its camera's image is missing."""
    return PICTURES[name](found, asked)


def _confidence(found: Prediction, asked: Asked) -> Image.Image:
    return Image.fromarray(confidence_levels(found.confidence))


def _overlay(found: Prediction, asked: Asked) -> Image.Image:
    return found.overlay(ground=asked.ground)


def _camera(name: str) -> Callable[[Prediction, Asked], Image.Image | None]:
    def picture(found: Prediction, asked: Asked) -> Image.Image | None:
        pixels = found.images.get(name)
        return None if pixels is None else Image.fromarray(pixels).convert("RGB")

    return picture


def _ground(found: Prediction, asked: Asked) -> Image.Image:
    images: Mapping[str, NDArray[np.uint8]] = found.images or {"rgb": found.background}
    return Image.fromarray(ground_of(images.get("rgb"), images.get("thermal"), asked.ground))


PICTURES: dict[str, Callable[[Prediction, Asked], Image.Image | None]] = {
    "labels": lambda found, _: Image.fromarray(found.labels),
    "confidence": _confidence,
    "overlay": _overlay,
    "rgb": _camera("rgb"),
    "thermal": _camera("thermal"),
    "ground": _ground,
}
"""Pictures of a prediction: 8-bit gray for ids and confidence (255 is 1), RGB for the others."""


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(
        file, "PNG", compress_level=COMPRESSION, **({"bits": 8} if picture.mode == "P" else {})
    )
    return file.getvalue()
