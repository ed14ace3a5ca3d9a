"""The kinds of file in which a prediction is saved."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from samantic.display.confidence import confidence_levels
from samantic.display.ground import Ground
from samantic.display.palette import file_palette
from samantic.errors import InputError
from samantic.files import replacing
from samantic.predict.contours import contours
from samantic.provenance import mark_png

if TYPE_CHECKING:
    from samantic.predict.prediction import Prediction

CONFIDENCE = "samantic confidence"
"""Keyword of the PNG text that holds the mean confidence of a label file."""


OVERLAY_LEVEL = 4
"""zlib level of overlays: 2.5 times as fast as level 6, 1 % larger (`benchmarks/predict.py`)."""


class Look(NamedTuple):
    """How overlays are drawn; see `Prediction.overlay`."""

    ground: Ground = "auto"
    legend: bool = False


Write = Callable[["Prediction", Path, str | None, Look], None]
"""Writes a prediction to a path; the text is the digest of what it was made from."""


def _write_overlay(found: Prediction, path: Path, made_from: str | None, look: Look) -> None:
    picture = found.overlay(ground=look.ground, legend=look.legend)
    info = None if made_from is None else mark_png(made_from)
    picture.save(path, pnginfo=info, compress_level=OVERLAY_LEVEL)


def label_image(labels: NDArray[np.uint8], classes: tuple[str, ...]) -> Image.Image:
    """Ids (H, W) as an image with a palette, so that people can look at them."""
    image = Image.fromarray(labels)
    image.putpalette(file_palette(classes))
    return image


def write_label_png(
    file: Path | BinaryIO,
    labels: NDArray[np.uint8],
    classes: tuple[str, ...],
    confidence: float,
    made_from: str | None,
) -> None:
    """Write a `label_image` as PNG with 8 bits, whatever the number of classes.

    Args:
        file: Path, or an open file.
        labels: (H, W).
        classes: Names by label id.
        confidence: Mean over the pixels, 0..1.
        made_from: Digest of what the labels were made from; None stores none.
    """
    info = PngInfo() if made_from is None else mark_png(made_from)
    info.add_text(CONFIDENCE, repr(confidence))
    label_image(labels, classes).save(file, "PNG", pnginfo=info, bits=8)


def _write_labels(found: Prediction, path: Path, made_from: str | None, look: Look) -> None:
    confidence = float(found.confidence.mean())
    write_label_png(path, found.labels, found.classes, confidence, made_from)


def _write_confidence(found: Prediction, path: Path, made_from: str | None, look: Look) -> None:
    info = None if made_from is None else mark_png(made_from)
    Image.fromarray(confidence_levels(found.confidence)).save(path, pnginfo=info)


def _write_probabilities(found: Prediction, path: Path, made_from: str | None, look: Look) -> None:
    values = found.probabilities.astype(np.float16)
    np.savez_compressed(path, probabilities=values, classes=np.array(found.classes))


def _write_contours(found: Prediction, path: Path, made_from: str | None, look: Look) -> None:
    height, width = found.labels.shape
    lines = {
        name: [line.tolist() for line in contours(found.labels == label)]
        for label, name in enumerate(found.classes)
        if label > 0
    }
    text = json.dumps({"width": width, "height": height, "contours": lines})
    path.write_text(f"{text}\n", encoding="utf-8")


@dataclass(frozen=True)
class Kind:
    """One kind of file.

    Attributes:
        folder: Its folder below the folder of the predictions.
        suffix: Ending of its files.
        write: Function that writes a file.
    """

    folder: str
    suffix: str
    write: Write

    def path(self, out: Path, stem: str) -> Path:
        """The path of a pair's file."""
        return out / self.folder / f"{stem}{self.suffix}"

    def whole(self, path: Path) -> bool:
        """Whether a file without a mark exists and has a complete end."""
        if not path.is_file():
            return False
        return zipfile.is_zipfile(path) if self.suffix == ".npz" else _tail(path) == b"}\n"


KINDS = {
    "overlay": Kind("overlays", ".png", _write_overlay),
    "confidence": Kind("confidence", ".png", _write_confidence),
    "probabilities": Kind("probabilities", ".npz", _write_probabilities),
    "contours": Kind("contours", ".json", _write_contours),
    "labels": Kind("labels", ".png", _write_labels),
}
"""The kinds in the order of writing. Labels come last, so a pair that has labels has all files."""

USUAL = ("overlay", "labels")
"""The kinds that are saved by default."""


def kinds_of(words: Sequence[str], option: str = "kinds") -> tuple[str, ...]:
    """The kinds in the order in which they are written.

    Raises:
        InputError: The list is empty, or a word is no kind.
    """
    unknown = [word for word in words if word not in KINDS]
    if unknown or not words:
        what = f"{unknown[0]!r} is none of" if unknown else "give one or more of"
        raise InputError(f"{option}: {what} overlay, labels, confidence, probabilities, contours")
    return tuple(kind for kind in KINDS if kind in words)


def save_prediction(
    found: Prediction,
    out: Path,
    stem: str,
    made_from: str | None = None,
    kinds: Sequence[str] = USUAL,
    look: Look | None = None,
) -> None:
    """Write a file of each kind; every file is complete or absent.

    Raises:
        InputError: The probabilities were not kept, and there is no model to compute them.
    """
    for kind in kinds_of(kinds):
        with replacing(KINDS[kind].path(out, stem)) as temporary:
            KINDS[kind].write(found, temporary, made_from, look or Look())


def _tail(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 2))
        return file.read()
