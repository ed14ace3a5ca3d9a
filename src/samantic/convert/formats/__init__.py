"""Formats of labels. A new format is a file here and an entry in `FORMATS` or `JSON_FORMATS`."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from samantic.convert.formats import (
    coco,
    cvat,
    cvat_masks,
    label_images,
    label_studio,
    labelme,
    roboflow,
    supervisely,
)
from samantic.convert.formats.documents import files_of, load_json

FORMATS = (cvat_masks, roboflow, cvat)
"""Formats that find their files. Each has TITLE, `finds(source)` and `read(source, request)`."""

JSON_FORMATS = (coco, label_studio, supervisely, labelme)
"""Formats in JSON. Each has TITLE, `claims(value)` and `read(source, request)`."""


def recognise(source: Path) -> ModuleType | None:
    """The format of a file or folder, by its content; None if no known format fits.

    Raises:
        InputError: A file that identifies the format is broken.
    """
    for known in FORMATS:
        if known.finds(source):
            return known
    for path in files_of(source, ".json"):
        value = load_json(path)
        for form in JSON_FORMATS:
            if form.claims(value):
                return form
    return label_images if label_images.finds(source) else None
