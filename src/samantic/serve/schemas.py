"""The requests and answers of the API, for its description."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from samantic.display.ground import GROUNDS
from samantic.serve.refusals import Kind
from samantic.serve.uploads import FORMATS, GATES, INCLUDED


class Status(BaseModel):
    """State of the process."""

    status: Literal["ok"]


class Problem(BaseModel):
    """Why there is no answer: one line with the cure, and what kind of trouble it is."""

    error: str
    kind: Kind


class ClassOf(BaseModel):
    """A class of a model."""

    id: int
    name: str
    color: str


class ModelOf(BaseModel):
    """A model. `size` is that which an exported file takes."""

    name: str
    cameras: list[str]
    classes: list[ClassOf]
    parameters: int | None
    fingerprint: str
    size: tuple[int, int] | None
    miou: float | None


class Models(BaseModel):
    """The models of the server."""

    default: str
    models: list[ModelOf]


class SceneOf(BaseModel):
    """A generated scene: /scenes/NAME/rgb.png and /scenes/NAME/thermal.png."""

    name: str
    title: str


class RunLengths(BaseModel):
    """A mask as COCO's compressed run lengths."""

    size: tuple[int, int]
    counts: str


class Found(ClassOf):
    """A class in a picture: pixels, share of all, mean confidence, and mask."""

    pixels: int
    share: float
    confidence: float
    segmentation: RunLengths


State = Literal[
    "present",
    "missing",
    "ok",
    "black",
    "saturated",
    "uniform",
    "shutter",
    "out of range",
    "shifted rows",
]


class Cameras(BaseModel):
    """Which images were sent, and with `gate=on` how their cameras are."""

    rgb: State
    thermal: State


class Predicted(BaseModel):
    """The segmentation of a pair; `images` are data URIs of PNGs."""

    model: str
    size: tuple[int, int]
    seconds: float
    cameras: Cameras
    notes: list[str]
    classes: list[Found]
    images: dict[str, str]


def _file(what: str) -> dict[str, Any]:
    return {"type": "string", "contentMediaType": "application/octet-stream", "description": what}


PREDICT: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "rgb": _file("RGB image: PNG, TIFF, JPEG of 8 bits"),
                        "thermal": _file(
                            "thermal image: PNG, TIFF of 8 or 16 bits, JPEG, radiometric JPEG"
                        ),
                        "rgbt": _file("both in one image of 4 channels, instead of the two"),
                        "model": {"type": "string", "description": "name; the first if left out"},
                        "format": {
                            "type": "string",
                            "enum": list(FORMATS),
                            "description": "of the answer; wins over the header Accept, by which "
                            "image/png is labels. labels: PNG of class ids with a palette; "
                            "overlay: PNG; confidence: gray PNG, 255 is 1",
                        },
                        "include": {
                            "type": "string",
                            "description": "pictures that go into JSON, with commas: "
                            + ", ".join(INCLUDED),
                        },
                        "ground": {
                            "type": "string",
                            "enum": list(GROUNDS),
                            "description": "what the overlay is drawn on",
                        },
                        "gate": {
                            "type": "string",
                            "enum": list(GATES),
                            "description": "on: images are tested; one of a sick camera (black, "
                            "saturated, shifted rows, ...) is left out, as if it were missing",
                        },
                    },
                }
            }
        },
    }
}
"""The form of `POST /predict`."""

_PROBLEMS = {
    400: "no image, or what was sent cannot be read",
    401: "no valid token",
    403: "asked by a name, or from a page, that is not this server's",
    404: "no such model or place",
    408: "sent too slowly",
    413: "too many bytes or pixels",
    415: "no form",
    422: "sizes that do not fit",
    500: "an error of the server",
    503: "busy, or out of time; Retry-After says when to come again",
}

ERRORS: dict[int | str, dict[str, Any]] = {
    code: {"model": Problem, "description": text} for code, text in _PROBLEMS.items()
}
"""Answers without a prediction."""
