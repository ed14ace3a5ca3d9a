"""The instances of a prediction in the formats of supervision and COCO."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from samantic.errors import InputError
from samantic.predict.instances import Instance

if TYPE_CHECKING:
    import supervision


def detections(
    parts: Sequence[Instance], height: int, width: int, metadata: dict[str, Any]
) -> supervision.Detections:
    """Convert instances to supervision's detections, with masks (H, W).

    Raises:
        InputError: supervision is not installed.
    """
    try:
        import supervision
    except ModuleNotFoundError as error:
        if error.name != "supervision":
            raise
        raise InputError(
            "to_supervision: supervision is not installed; pip install samantic[supervision]"
        ) from None
    heat = [np.nan if part.thermal is None else part.thermal for part in parts]
    masks = [part.full_mask(height, width) for part in parts]
    return supervision.Detections(
        xyxy=np.array([part.box for part in parts], np.float32).reshape(-1, 4),
        mask=np.array(masks, np.bool_).reshape(-1, height, width),
        confidence=np.array([part.confidence for part in parts], np.float32),
        class_id=np.array([part.label for part in parts], np.int64),
        data={
            "class_name": np.array([part.name for part in parts], dtype=np.str_),
            "thermal": np.array(heat, np.float32),
        },
        metadata=metadata,
    )


def coco(
    parts: Sequence[Instance],
    height: int,
    width: int,
    classes: Sequence[str],
    image_id: int,
    file_name: str,
) -> dict[str, Any]:
    """Convert instances to COCO annotations with run lengths; values fit JSON.

    Args:
        parts: The instances.
        height: Height of the image in pixels.
        width: Width of the image in pixels.
        classes: Names by label id; category ids are label ids.
        image_id: Id of the image.
        file_name: File name of the image.
    """
    annotations = [
        {
            "id": number,
            "image_id": image_id,
            "category_id": part.label,
            "bbox": [part.box[0], part.box[1], *_extent(part)],
            "area": part.area,
            "iscrowd": 0,
            "segmentation": run_lengths(part.full_mask(height, width)),
            "score": part.confidence,
        }
        for number, part in enumerate(parts, 1)
    ]
    return {
        "images": [{"id": image_id, "file_name": file_name, "height": height, "width": width}],
        "categories": [{"id": label, "name": name} for label, name in enumerate(classes)],
        "annotations": annotations,
    }


def _extent(part: Instance) -> tuple[int, int]:
    left, top, right, bottom = part.box
    return right - left, bottom - top


def run_lengths(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Encode a mask (H, W) as COCO's compressed run lengths: size and counts."""
    from pycocotools import mask as tool

    found = tool.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(mask.shape), "counts": found["counts"].decode("ascii")}
