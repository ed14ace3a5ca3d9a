"""COCO's panoptic kind: for each image a PNG whose colours are segment ids.

An annotation has `file_name`, the PNG, and `segments_info`: the `id` of each segment and its
`category_id`. The id of a pixel is red + 256 green + 65536 blue; 0 is no segment and is ignored.
The PNGs lie in a folder with the name of the JSON file, or next to the JSON file.

https://cocodataset.org/#format-data, 4. Panoptic Segmentation
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samantic.convert.export import VOID, Drawing, Picture, settle_size, stem_of, told
from samantic.convert.regions import Patch, Size
from samantic.data.image_files import decode, refuse_lossy
from samantic.errors import InputError


def is_panoptic(value: Mapping[str, Any]) -> bool:
    """Whether a COCO file has panoptic annotations."""
    notes = value["annotations"]
    return bool(notes) and isinstance(notes[0], dict) and "segments_info" in notes[0]


def panoptic_picture(
    path: Path, image: Any, annotation: Any, categories: Mapping[int, str], split: str
) -> Picture:
    """A picture of a panoptic file.

    Raises:
        InputError: Its PNG is missing.
    """
    where = f"{path}, image {image['file_name']}"
    stem_of(annotation["file_name"], where)  # refuses paths that lead out of the folder
    folders = (path.parent / path.stem, path.parent)
    found = [file for folder in folders if (file := folder / annotation["file_name"]).is_file()]
    if not found:
        raise InputError(
            f"{where}: {annotation['file_name']} is not in {folders[0]}; put the PNGs there"
        )

    def draw(known: Size | None) -> Drawing:
        with told(where):
            ids = _numbers(found[0])
            declared = image.get("height"), image.get("width")
            size = settle_size(declared, known or ids.shape, where)
            if ids.shape != size:
                raise ValueError(f"{found[0].name} has another size than the image")
            known_ids = {s["id"]: s["category_id"] for s in annotation["segments_info"]}
            return Drawing(size, _patches(ids, known_ids, categories, where))

    return Picture(stem_of(image["file_name"], where), where, draw, split, file=found[0])


def _numbers(path: Path) -> NDArray[np.int32]:
    found = decode(path)
    refuse_lossy(found)
    if found.kind != "colour":
        raise ValueError(f"{path.name} is no RGB image, so its pixels number no segments")
    return found.samples.astype(np.int32) @ np.array([1, 1 << 8, 1 << 16], np.int32)


def _patches(
    ids: NDArray[np.int32], segments: Mapping[int, int], categories: Mapping[int, str], where: str
) -> Iterator[Patch]:
    for number in np.unique(ids).tolist():
        if number == 0:
            yield Patch(VOID, ids == 0)
            continue
        if segments.get(number) not in categories:
            raise InputError(
                f"{where}: a segment {number} that its list does not have, or of no category; "
                "export it anew"
            )
        yield Patch(categories[segments[number]], ids == number)
