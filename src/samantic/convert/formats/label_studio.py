"""Label Studio JSON: a list of tasks, each with an image and its annotations.

A result has the type polygonlabels (points in per cent of the image's width and height),
brushlabels (run lengths, see `brush`), bitmasklabels (a PNG in a `data:` URL, opaque where the
object is), rectanglelabels or ellipselabels; other types have no area. Both the full export
(`annotations`, or `completions` of old versions) and the small one (JSON-MIN) are read. Results are
drawn in the order of the file, so the later of two covers the earlier. If a task has several
annotations, the first that was not cancelled counts. Names of uploaded images have a prefix of
eight hexadecimal digits, which the user's own files do not have.

https://labelstud.io/guide/task_format, https://labelstud.io/tags/brushlabels and .../bitmasklabels
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from samantic.convert.export import Drawing, Export, Picture, settle_size, stem_of, told
from samantic.convert.formats.brush import brush_mask
from samantic.convert.formats.documents import files_of, load_json, split_of
from samantic.convert.formats.pictures import mask_of_png
from samantic.convert.regions import Mask, Patch, Size, box, ellipse, polygon, turned
from samantic.convert.request import Request
from samantic.data.folders import SUFFIXES

TITLE = "Label Studio JSON"

KINDS = ("polygon", "brush", "bitmask", "rectangle", "ellipse")


def claims(value: Any) -> bool:
    """Whether a JSON value has this format."""
    return isinstance(value, list) and any(
        isinstance(task, dict)
        and (
            (
                isinstance(task.get("data"), dict)
                and ("annotations" in task or "completions" in task)
            )
            or bool(_small_results(task))
        )
        for task in value
    )


def read(source: Path, request: Request) -> Export:
    """Read an export: a file, or all files of this format below a folder.

    Raises:
        InputError: The export is broken.
    """
    pictures: list[Picture] = []
    labels: set[str] = set()
    skipped: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    for path in files_of(source, ".json"):
        if not claims(value := load_json(path)):
            continue
        for number, task in enumerate(value):
            where = f"{path}, task {task.get('id', number) if isinstance(task, dict) else number}"
            with told(where):
                results = _results(task, notes)
                if results is None:
                    what = "predictions alone" if _predicted(task) else "no annotation"
                    skipped[f"tasks with {what}"] += 1
                    continue
                labels |= {label for result in results if (label := _label(result, results))}
                pictures.append(_picture(task, results, where, split_of(path, source), skipped))
    folders = [source if source.is_dir() else source.parent]
    return Export(TITLE, sorted(labels), pictures, folders, skipped=skipped, notes=notes)


def _small_results(task: Mapping[str, Any]) -> list[Any]:
    """The results of a task in JSON-MIN, in the form of the full export."""
    found = []
    for value in task.values():
        if isinstance(value, list):
            for item in value:
                if isinstance(item, dict) and "original_width" in item:
                    kind = next((k for k in item if k.endswith("labels")), "none")
                    found.append({**item, "type": kind, "value": item})
    return found


def _results(task: Mapping[str, Any], notes: Counter[str]) -> list[Any] | None:
    """The results of a task; None if nobody has labelled it."""
    if not isinstance(task.get("data"), dict):
        return _small_results(task) or None
    given = task.get("annotations", task.get("completions")) or []
    kept = [one for one in given if not one.get("was_cancelled")]
    if len(kept) > 1:
        notes["tasks have several annotations, of which the first counts"] += 1
    return list(kept[0]["result"]) if kept else None


def _predicted(task: Any) -> bool:
    return isinstance(task, dict) and bool(task.get("predictions"))


def _label(result: Mapping[str, Any], results: Sequence[Any]) -> str:
    """The class of a result, which another result with the same id may give; "" for none."""
    kind = str(result["type"])
    if kind.removesuffix("labels") not in KINDS:
        return ""
    own = [result, *(r for r in results if r is not result and r.get("id", 0) == result.get("id"))]
    for one in own:
        labels = one["value"].get(one["type"]) if str(one["type"]).endswith("labels") else None
        if labels:
            return str(labels[0])
    return ""


def _picture(
    task: Mapping[str, Any], results: list[Any], where: str, split: str, skipped: Counter[str]
) -> Picture:
    parts = [
        part for part in re.split(r"[/\\]", _image(task)) if part.strip(".") and part[-1] != ":"
    ]
    full = stem_of("/".join(parts[-3:]), where)  # two folders distinguish images of one name
    short = re.sub(r"(?:^|(?<=/))[0-9a-f]{8}-(?=[^/]*$)", "", full)

    def draw(known: Size | None) -> Drawing:
        with told(where):
            sized = [r for r in results if r.get("original_width")][:1] or [{}]
            declared = [sized[0].get(f"original_{key}") for key in ("height", "width")]
            size = settle_size(declared, known, where)
            return Drawing(size, _patches(results, size, where, skipped))

    return Picture(short, where, draw, split, () if short == full else (full,))


def _image(task: Mapping[str, Any]) -> str:
    """The file name of a task's image, from a URL or a path on its server."""
    values = task["data"] if isinstance(task.get("data"), dict) else task
    texts = [values.get("image"), *values.values(), task.get("file_upload")]
    for text in texts:
        if not isinstance(text, str):
            continue
        address = urlsplit(text)
        path = parse_qs(address.query).get("d", [unquote(address.path)])[0]
        if path.lower().endswith(SUFFIXES):
            return path
    raise ValueError("no field names its image")


def _patches(
    results: Sequence[Any], size: Size, where: str, skipped: Counter[str]
) -> Iterator[Patch]:
    for result in results:
        kind = str(result["type"]).removesuffix("labels")
        label = _label(result, results)
        if not label:
            if kind and kind not in KINDS:
                skipped[f"results without an area ({result['type']})"] += 1
            elif kind:
                skipped["regions without a label"] += 1
            continue
        with told(f"{where}, {result['type']} ({label})"):
            if result.get("image_rotation"):
                raise ValueError("the image was turned in the tool; turn the file, and label it")
            value = result["value"]
            if len(value.get(result["type"]) or ()) > 1:
                skipped["regions have several labels, of which the first counts"] += 1
            if kind == "brush":
                yield Patch(label, brush_mask(value["rle"], size))
            elif kind == "bitmask":
                yield Patch(label, _bitmask(value, size))
            else:
                points = np.array(_ring(kind, value), np.float64)
                yield polygon(label, _in_pixels(points, kind, value, size), size)


def _bitmask(value: Mapping[str, Any], size: Size) -> Mask:
    """Mask (H, W) of the PNG in a `data:` URL."""
    texts = [text for text in value.values() if str(text).startswith("data:image/png;base64,")]
    if not texts:
        raise ValueError("a bitmask without a PNG")
    mask = mask_of_png(base64.b64decode(texts[0].partition(",")[2]))
    if mask.shape != size:
        raise ValueError(f"a bitmask of {mask.shape[1]}x{mask.shape[0]} pixels")
    return mask


def _ring(kind: str, value: Mapping[str, Any]) -> Any:
    """Points in per cent, before rotation."""
    if kind == "polygon":
        return value["points"]
    x, y = float(value["x"]), float(value["y"])
    if kind == "rectangle":
        return box(x, y, x + float(value["width"]), y + float(value["height"]))
    return ellipse(x, y, float(value["radiusX"]), float(value["radiusY"]))


def _in_pixels(points: Any, kind: str, value: Mapping[str, Any], size: Size) -> Any:
    """Points in pixels; boxes rotate about their upper left corner, ellipses about their centre."""
    scaled = points * np.array([size[1], size[0]]) / 100
    turn = float(value.get("rotation") or 0)
    if not turn or kind == "polygon":
        return scaled
    centre = np.array([float(value["x"]), float(value["y"])]) * np.array([size[1], size[0]]) / 100
    return turned(scaled, centre, turn)
