"""Files of masks: COCO's run lengths, which can hold the masks of any SAM, and label maps."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from pycocotools import mask as coco
from torch import Tensor

from samantic.data.instances import read_instances
from samantic.distill.windows import Corner
from samantic.errors import InputError
from samantic.files import read_json, write_text

COMPRESSED = re.compile(r"[0-o]*[0-O]")
"""Regular expression of COCO's run lengths as a string. COCO's reader reads beyond the end of a
string that stops within a number, so the string is checked first."""

_Window = tuple[list[int], list[dict[str, Any]]]
"""Height and width of a window in a file, and its annotations."""


class WindowMasks(NamedTuple):
    """The masks of a window of an image, or of the whole image.

    Attributes:
        corner: Upper row and left column of the window, which may extend beyond the right edge;
            None for the whole image.
        masks: (M, h, w) bool; they may overlap.
        quality: (M,) float32, the IoU that the network predicted for each; 1 where the file gives
            none.
    """

    corner: Corner | None
    masks: Tensor
    quality: Tensor


def read_mask_file(path: Path, size: tuple[int, int] | None = None) -> list[WindowMasks]:
    """Read the masks of an image.

    A PNG holds ids of 8 or 16 bits, 0 where there is no mask. JSON holds annotations, as a list or
    under the key "annotations", each with

    - "segmentation": {"size": [h, w], "counts": run lengths, as COCO's string or as a list},
    - "predicted_iou", optional,
    - "left", the first column of the window for a mask of a window, and "top", its first row, if
      that is not 0.

    Args:
        path: The file.
        size: Height and width of the image, which the masks must fit; None for any.

    Returns:
        The windows in the order of the file.

    Raises:
        InputError: The file is missing, broken, without masks, or does not fit the image.
    """
    if path.suffix.lower() == ".png":
        return [_read_label_map(path, size)]
    content = read_json(path)
    try:
        windows = _group(content)
        for corner, (extent, _) in windows.items():
            _check_fit(path, corner, extent, size)
        parts = [_decode(corner, *window) for corner, window in windows.items()]
    except InputError:
        raise
    except (AttributeError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: no annotations as COCO has them ({error}); save SAM's with "
            "output_mode='coco_rle'"
        ) from None
    except (OverflowError, ValueError) as error:
        raise InputError(f"{path}: {error}; save the masks as COCO's run lengths") from None
    if not parts:
        raise InputError(f"{path}: no masks in it; create them again, or remove the image")
    return parts


def write_mask_file(path: Path, parts: Sequence[WindowMasks]) -> None:
    """Write masks as JSON that `read_mask_file` reads.

    The file also lists the windows, since some may have no masks.
    """
    windows, annotations = [], []
    for corner, masks, quality in parts:
        place = {} if corner is None else {"top": corner[0], "left": corner[1]}
        windows.append({"size": list(masks.shape[1:]), **place})
        for lengths, expected in zip(_encode(masks), quality.tolist(), strict=True):
            annotations.append({"segmentation": lengths, "predicted_iou": expected, **place})
    write_text(path, json.dumps({"windows": windows, "annotations": annotations}))


def _read_label_map(path: Path, size: tuple[int, int] | None) -> WindowMasks:
    ids = torch.from_numpy(read_instances(path).astype(np.int32))
    _check_fit(path, None, list(ids.shape), size)
    present = torch.unique(ids[ids > 0])
    if len(present) == 0:
        raise InputError(f"{path}: no masks in it, all ids are 0; create them again")
    return WindowMasks(None, ids == present[:, None, None], torch.ones(len(present)))


def _check_fit(
    path: Path, corner: Corner | None, extent: list[Any], size: tuple[int, int] | None
) -> None:
    """Refuse masks of another image, before memory is allocated for them."""
    rows, columns = extent
    if size is None:
        return
    height, width = size
    if corner is None:
        place, fits = "", (rows, columns) == size
    else:
        top, left = corner
        place = f" from row {top}, column {left}"
        fits = 0 <= top <= height - rows and 0 <= left < width and columns <= width
    if not fits:
        raise InputError(
            f"{path}: masks of {columns}x{rows} pixels{place}, but the image has {width}x{height}; "
            "make them from this image"
        )


def _group(content: Any) -> dict[Corner | None, _Window]:
    """The windows of a file by their corners."""
    if isinstance(content, list):
        content = {"annotations": content}
    windows: dict[Corner | None, _Window] = {
        _corner(part): (part["size"], []) for part in content.get("windows", [])
    }
    for annotation in content["annotations"]:
        extent = annotation["segmentation"]["size"]
        known, members = windows.setdefault(_corner(annotation), (extent, []))
        if extent != known:
            raise ValueError(f"masks of {extent} and of {known} pixels in one window")
        members.append(annotation)
    return windows


def _corner(part: dict[str, Any]) -> Corner | None:
    left = part.get("left")
    return None if left is None else (part.get("top", 0), left)


def _decode(
    corner: Corner | None, extent: list[int], annotations: list[dict[str, Any]]
) -> WindowMasks:
    lengths = [_compress(annotation["segmentation"]) for annotation in annotations]
    pixels = coco.decode(lengths) if lengths else np.zeros((*extent, 0), np.uint8)
    if lengths and (pixels.sum((0, 1)) != coco.area(lengths)).any():
        raise ValueError("run lengths that end within the image")
    masks = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1), bool))
    quality = [float(annotation.get("predicted_iou", 1)) for annotation in annotations]
    return WindowMasks(corner, masks, torch.tensor(quality))


def _compress(segmentation: dict[str, Any]) -> dict[str, Any]:
    """Run lengths as COCO's string, with the checks that COCO's reader lacks."""
    (height, width), counts = segmentation["size"], segmentation["counts"]
    if isinstance(counts, list):
        if sum(counts) != height * width:
            raise ValueError(f"run lengths of {sum(counts)} pixels for {width}x{height}")
        compressed: dict[str, Any] = coco.frPyObjects(segmentation, height, width)
        return compressed
    if not COMPRESSED.fullmatch(counts):
        raise ValueError("run lengths that are no string of COCO's")
    return segmentation


def _encode(masks: Tensor) -> list[dict[str, Any]]:
    pixels = np.asfortranarray(masks.cpu().numpy().astype(np.uint8).transpose(1, 2, 0))
    return [{**lengths, "counts": lengths["counts"].decode()} for lengths in coco.encode(pixels)]
