"""Frames as small pictures in a page: images, labels in class colours, errors."""

from __future__ import annotations

import base64
import io
from collections.abc import Collection
from math import isnan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from samantic.config.classes import IGNORE
from samantic.data.sensors import SENSORS
from samantic.display.confidence import confidence_colours
from samantic.display.ground import ground_of
from samantic.display.overlay import overlay
from samantic.measure.gallery import Frame
from samantic.predict.info import ModelInfo

UNLIKE = "unlike the training frames"
"""Note on a frame whose confidence lies outside the training's range."""

WIDTH = 480
"""Largest width of a picture in pixels; smaller images are not enlarged."""

QUALITY = 80
"""JPEG quality of images."""

OPACITY = 0.7
"""Opacity of class colours."""

RIGHT, WRONG = (76, 76, 76), (255, 87, 34)
"""Colours of correct and wrong pixels in the map of errors."""

HATCH = ((0, 0, 0), (112, 112, 112))
"""Two colours in stripes for pixels without a label."""

_STRIPE = 6  # width of a stripe in pixels


class Picture(NamedTuple):
    """One image of a panel, as a data URI."""

    title: str
    uri: str
    width: int
    height: int


class Panel(NamedTuple):
    """The pictures of one frame, in a row.

    Attributes:
        name: The frame's name.
        note: A short note on it.
        pictures: The pictures; all panels of a page that can be filtered have the same titles.
        classes: Label ids that occur in the ground truth or in a prediction.
        subset: Subset such as day or night; None if unknown.
        score: Score by which panels are sorted; None if there is no single score.
        compare: Whether the first two pictures show the same place, so that a page can overlay
            them.
    """

    name: str
    note: str
    pictures: list[Picture]
    classes: tuple[int, ...] = ()
    subset: str | None = None
    score: float | None = None
    compare: bool = False


def run_panels(
    frames: list[Frame],
    subsets: dict[str, str | None],
    info: ModelInfo,
    unlike: Collection[str] = (),
) -> list[Panel]:
    """Every frame with its prediction, its errors and the confidence, ordered by name.

    Args:
        frames: The frames of one model.
        subsets: The subset of each frame by its name.
        info: Classes and colours.
        unlike: Names of frames that differ from the training data.
    """
    return [
        Panel(
            frame.name,
            ", ".join(
                [
                    *([subset] if (subset := subsets[frame.name]) is not None else []),
                    _note(frame.miou),
                    *([UNLIKE] if frame.name in unlike else []),
                ]
            ),
            [
                *inputs(frame, info),
                labels_picture("prediction", frame, frame.prediction, info),
                errors_picture("errors", frame),
                *confidence_pictures(frame),
            ],
            classes_in(frame.truth, frame.prediction),
            subset,
            None if isnan(frame.miou) else frame.miou,
        )
        for frame in sorted(frames, key=lambda frame: frame.name)
    ]


def side_by_side(frames: dict[str, list[Frame]], info: ModelInfo) -> list[Panel]:
    """The same frames with the predictions of several models (SARTM Figs. 4 to 6).

    Args:
        frames: Frames by model, all of the same pairs.
        info: Classes and colours, which the models share.
    """
    panels = []
    for shown in zip(*frames.values(), strict=True):
        named = list(zip(frames, shown, strict=True))
        panels.append(
            Panel(
                shown[0].name,
                "mIoU: " + ", ".join(f"{name} {_share(frame.miou)}" for name, frame in named),
                [
                    *inputs(shown[0], info),
                    *(labels_picture(f"prediction, {n}", f, f.prediction, info) for n, f in named),
                ],
                classes_in(shown[0].truth, *(frame.prediction for frame in shown)),
            )
        )
    return panels


def _note(miou: float) -> str:
    return "no label" if isnan(miou) else f"mIoU {_share(miou)} over the classes present"


def _share(miou: float) -> str:
    return "-" if isnan(miou) else f"{100 * miou:.1f} %"


def classes_in(*labels: NDArray[np.uint8]) -> tuple[int, ...]:
    """The label ids that occur, without ignored pixels."""
    found = np.unique(np.concatenate([np.unique(part) for part in labels]))
    return tuple(int(label) for label in found if label != IGNORE)


def inputs(frame: Frame, info: ModelInfo) -> list[Picture]:
    """The images of a frame's sensors, and the ground truth."""
    return [*sensor_pictures(frame), labels_picture("truth", frame, frame.truth, info)]


def sensor_pictures(frame: Frame) -> list[Picture]:
    """The images of a frame's sensors."""
    return [picture(SENSORS[name].title, pixels) for name, pixels in frame.images.items()]


def picture(title: str, pixels: NDArray[np.uint8], widest: int = WIDTH) -> Picture:
    """An image, (H, W) or (H, W, 3) uint8, as a small JPEG."""
    image = _shrunk(Image.fromarray(pixels), Image.Resampling.LANCZOS, widest)
    return _encoded(title, image, "jpeg", quality=QUALITY)


def labels_picture(title: str, frame: Frame, labels: NDArray[np.uint8], info: ModelInfo) -> Picture:
    """Class colours over RGB, or over thermal where RGB is dark.

    Class 0 is not coloured, ignored pixels are hatched.
    """
    small = np.asarray(_shrunk(Image.fromarray(labels), Image.Resampling.NEAREST))
    images = {
        name: np.asarray(_shrunk(Image.fromarray(pixels), Image.Resampling.LANCZOS))
        for name, pixels in frame.images.items()
    }
    ground = ground_of(images.get("rgb"), images.get("thermal"))
    pixels = _hatched(np.asarray(overlay(ground, small, info.classes, OPACITY)), small == IGNORE)
    return _encoded(title, Image.fromarray(pixels), "jpeg", quality=QUALITY, subsampling=0)


def confidence_pictures(frame: Frame) -> list[Picture]:
    """The confidence in colours from dark blue to yellow; empty if it was not kept."""
    if frame.confidence is None:
        return []
    small = np.asarray(_shrunk(Image.fromarray(frame.confidence), Image.Resampling.BILINEAR))
    shown = Image.fromarray(confidence_colours(small))
    return [_encoded("confidence", shown, "jpeg", quality=QUALITY)]


def errors_picture(title: str, frame: Frame) -> Picture:
    """Where the prediction is correct and where it is wrong; ignored pixels are hatched."""
    wrong = Image.fromarray(frame.prediction != frame.truth)
    small = np.asarray(_shrunk(wrong, Image.Resampling.NEAREST))
    ignored = _shrunk(Image.fromarray(frame.truth == IGNORE), Image.Resampling.NEAREST)
    pixels = np.where(small[..., None], WRONG, RIGHT).astype(np.uint8)
    flat = Image.fromarray(_hatched(pixels, np.asarray(ignored))).quantize(4)
    return _encoded(title, flat, "png", optimize=True)


def _hatched(pixels: NDArray[np.uint8], where: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Draw diagonal stripes on (H, W, 3) pixels where the mask (H, W) is set."""
    stripes = np.add.outer(*map(np.arange, where.shape)) // _STRIPE % 2
    return np.where(where[..., None], np.array(HATCH, np.uint8)[stripes], pixels)


def _shrunk(image: Image.Image, method: Image.Resampling, widest: int = WIDTH) -> Image.Image:
    if image.width <= widest:
        return image
    return image.resize((widest, round(image.height * widest / image.width)), method)


def _encoded(title: str, image: Image.Image, kind: str, **options: int) -> Picture:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    data = base64.b64encode(buffer.getvalue()).decode()
    return Picture(title, f"data:image/{kind};base64,{data}", image.width, image.height)
