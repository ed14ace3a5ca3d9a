"""Writers of labels in the true form of each tool, and what they stand for pixel by pixel."""

from __future__ import annotations

import base64
import io
import json
import zlib
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZE = (48, 64)
NAMES = ("background", "person", "car")
Pixels = NDArray[np.uint8]


class Shape(NamedTuple):
    """A skyline: columns `left` to `left + len(heights)`, filled from a row of their own to a base.

    The outline runs along the edges of pixels, so that its mask is known without drawing.
    """

    label: int
    left: int
    base: int
    heights: tuple[int, ...]

    @property
    def mask(self) -> NDArray[np.bool_]:
        mask = np.zeros(SIZE, bool)
        for column, height in enumerate(self.heights, self.left):
            mask[self.base - height : self.base, column] = True
        return mask

    @property
    def ring(self) -> list[tuple[int, int]]:
        points = [(self.left, self.base)]
        for column, height in enumerate(self.heights, self.left):
            points += [(column, self.base - height), (column + 1, self.base - height)]
        return [*points, (self.left + len(self.heights), self.base)]

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Rows and columns, ends excluded."""
        rows, columns = np.nonzero(self.mask)
        return rows.min(), rows.max() + 1, columns.min(), columns.max() + 1

    @property
    def crop(self) -> NDArray[np.bool_]:
        top, bottom, left, right = self.box
        return self.mask[top:bottom, left:right]


def scene(seed: int) -> list[Shape]:
    """Five shapes that overlap."""
    rng = np.random.default_rng(seed)
    return [
        Shape(
            int(rng.integers(1, 3)),
            int(rng.integers(0, 44)),
            int(rng.integers(20, 49)),
            tuple(rng.integers(1, 20, rng.integers(3, 20)).tolist()),
        )
        for _ in range(5)
    ]


def painted(shapes: list[Shape]) -> Pixels:
    """The labels of a scene, a later shape over an earlier one."""
    labels = np.zeros(SIZE, np.uint8)
    for shape in shapes:
        labels[shape.mask] = shape.label
    return labels


def save_image(path: Path, size: tuple[int, int] = SIZE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1], (90, 60, 30)).save(path)


def counts_of(flat: NDArray[np.bool_]) -> list[int]:
    """Run lengths, of zeros first."""
    groups = [(value, len(list(group))) for value, group in groupby(flat.tolist())]
    return [0] * bool(groups[0][0]) + [length for _, length in groups]


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def dump(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, default=int))
    return path


def coco(root: Path, scenes: dict[str, list[Shape]], kind: str) -> Path:
    """instances.json with polygons, lists of run lengths, or packed ones."""
    from pycocotools import mask as packed

    def segmentation(shape: Shape) -> Any:
        if kind == "polygons":
            return [[float(v) for point in shape.ring for v in point]]
        if kind == "list":
            return {"size": list(SIZE), "counts": counts_of(shape.mask.ravel(order="F"))}
        found = packed.encode(np.asfortranarray(shape.mask.astype(np.uint8)))
        return {"size": list(SIZE), "counts": found["counts"].decode()}

    images, notes = [], []
    for number, (name, shapes) in enumerate(scenes.items(), 1):
        save_image(root / "images" / f"{name}.jpg")
        images.append({"id": number, "file_name": f"{name}.jpg", "height": 48, "width": 64})
        for shape in shapes:
            notes.append(
                {
                    "id": len(notes) + 1,
                    "image_id": number,
                    "category_id": 10 * shape.label,
                    "segmentation": segmentation(shape),
                    "iscrowd": int(kind != "polygons"),
                    "area": int(shape.mask.sum()),
                    "bbox": [0, 0, 1, 1],
                }
            )
    categories = [{"id": 20, "name": "car"}, {"id": 10, "name": "person"}]
    value = {"images": images, "annotations": notes, "categories": categories}
    return dump(root / "annotations" / "instances.json", value)


def panoptic(root: Path, scenes: dict[str, list[Shape]]) -> Path:
    """panoptic.json and panoptic/NAME.png, every segment with an id of its own."""
    images, notes = [], []
    for number, (name, shapes) in enumerate(scenes.items(), 1):
        save_image(root / "images" / f"{name}.jpg")
        ids = np.full(SIZE, 7, np.int64)
        infos = [{"id": 7, "category_id": 1}]
        for place, shape in enumerate(shapes):
            ids[shape.mask] = 300 * 256 + 1000 * place + 5
            infos.append({"id": 300 * 256 + 1000 * place + 5, "category_id": 10 * shape.label})
        pixels = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)
        (root / "panoptic").mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(root / "panoptic" / f"{name}.png")
        images.append({"id": number, "file_name": f"{name}.jpg", "height": 48, "width": 64})
        notes.append({"image_id": number, "file_name": f"{name}.png", "segments_info": infos})
    categories = [{"id": i or 1, "name": n} for i, n in zip((1, 10, 20), NAMES, strict=True)]
    value = {"images": images, "annotations": notes, "categories": categories}
    return dump(root / "panoptic.json", value)


def labelme(root: Path, scenes: dict[str, list[Shape]], kind: str) -> Path:
    """NAME.json beside NAME.jpg, with polygons or masks."""

    def shape_of(shape: Shape) -> dict[str, Any]:
        value = {"label": NAMES[shape.label], "group_id": None, "flags": {}, "shape_type": kind}
        if kind == "polygon":
            return value | {"points": shape.ring}
        top, bottom, left, right = shape.box
        data = base64.b64encode(png(Image.fromarray(shape.crop))).decode()
        return value | {"points": [[left, top], [right - 1, bottom - 1]], "mask": data}

    for name, shapes in scenes.items():
        save_image(root / f"{name}.jpg")
        value = {
            "version": "5.5.0",
            "flags": {},
            "shapes": [shape_of(shape) for shape in shapes],
            "imagePath": f"..\\photos\\{name}.jpg",
            "imageData": None,
            "imageHeight": 48,
            "imageWidth": 64,
        }
        dump(root / f"{name}.json", value)
    return root


def cvat(root: Path, scenes: dict[str, list[Shape]], kind: str) -> Path:
    """annotations.xml; shapes stand in reverse order, and z_order puts them right."""
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<annotations>", "<version>1.1</version>"]
    labels = "".join(f"<label><name>{escape(name)}</name></label>" for name in NAMES)
    lines.append(f"<meta><task><labels>{labels}</labels></task></meta>")
    for number, (name, shapes) in enumerate(scenes.items()):
        save_image(root / "images" / f"{name}.jpg")
        named = quoteattr(f"{name}.jpg")
        lines.append(f'<image id="{number}" name={named} width="64" height="48">')
        for z, shape in reversed(list(enumerate(shapes))):
            own = f'label={quoteattr(NAMES[shape.label])} z_order="{z}" occluded="0"'
            if kind == "polygon":
                points = ";".join(f"{x:.2f},{y:.2f}" for x, y in shape.ring)
                lines.append(f'<polygon {own} points="{points}"></polygon>')
            else:
                top, bottom, left, right = shape.box
                rle = ", ".join(map(str, counts_of(shape.crop.ravel())))
                place = f'left="{left}" top="{top}" width="{right - left}" height="{bottom - top}"'
                lines.append(f'<mask {own} rle="{rle}" {place}></mask>')
        lines.append("</image>")
    path = root / "annotations.xml"
    path.write_text("\n".join([*lines, "</annotations>"]))
    return root


def cvat_masks(root: Path, scenes: dict[str, list[Shape]], colours: dict[str, str]) -> Path:
    """labelmap.txt, ImageSets and SegmentationClass in colours."""
    table = [tuple(map(int, text.split(","))) for text in colours.values()]
    lines = ["# label:color_rgb:parts:actions", *(f"{n}:{c}::" for n, c in colours.items())]
    (root / "SegmentationClass").mkdir(parents=True)
    (root / "ImageSets" / "Segmentation").mkdir(parents=True)
    (root / "labelmap.txt").write_text("\n".join(lines) + "\n")
    (root / "ImageSets" / "Segmentation" / "default.txt").write_text("\n".join(scenes))
    for name, shapes in scenes.items():
        pixels = np.array(table, np.uint8)[painted(shapes)]
        Image.fromarray(pixels).save(root / "SegmentationClass" / f"{name}.png")
        save_image(root / "JPEGImages" / f"{name}.jpg")
    return root


def brush(mask: NDArray[np.bool_], rng: np.random.Generator) -> list[int]:
    """thi.ng's packing of an RGBA picture, with blocks of one value and blocks of many."""
    values = np.repeat(mask.ravel().astype(int) * 255, 4).tolist()
    bits = f"{len(values):032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16))
    place = 0
    while place < len(values):
        run = len(list(next(groupby(values[place : place + 60000]))[1]))
        if run > 4 or rng.random() < 0.3:
            kind = next(i for i, size in enumerate((3, 4, 8, 16)) if run <= 2**size)
            bits += f"1{kind:02b}{run - 1:0{(3, 4, 8, 16)[kind]}b}{values[place]:08b}"
        else:
            run = min(8, len(values) - place)
            block = "".join(f"{value:08b}" for value in values[place : place + run])
            bits += f"000{run - 1:03b}{block}"
        place += run
    bits += "0" * (-len(bits) % 8)
    return [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]


def label_studio(root: Path, scenes: dict[str, list[Shape]], kind: str) -> Path:
    """The full export: percentages, or a brush; images have a mark before their names."""
    rng = np.random.default_rng(0)

    def result(shape: Shape) -> dict[str, Any]:
        label = [NAMES[shape.label]]
        sizes = {"original_width": 64, "original_height": 48, "image_rotation": 0}
        if kind == "brush":
            value = {"format": "rle", "rle": brush(shape.mask, rng), "brushlabels": label}
        else:
            points = [[100 * x / 64, 100 * y / 48] for x, y in shape.ring]
            value = {"points": points, "closed": True, "polygonlabels": label}
        return {**sizes, "type": f"{kind}labels", "from_name": "l", "to_name": "i", "value": value}

    tasks = []
    for number, (name, shapes) in enumerate(scenes.items()):
        save_image(root / "photos" / f"{name}.jpg")
        tasks.append(
            {
                "id": number,
                "data": {"image": f"/data/upload/3/0a1b2c3d-{name}.jpg"},
                "annotations": [
                    {"id": 1, "was_cancelled": True, "result": []},
                    {"id": 2, "was_cancelled": False, "result": [result(s) for s in shapes]},
                ],
            }
        )
    return dump(root / "export.json", tasks)


def supervisely(root: Path, scenes: dict[str, list[Shape]], kind: str) -> Path:
    """meta.json, and ann/ and img/ of one data set."""
    classes = [{"title": name, "shape": kind, "color": "#ff0000"} for name in NAMES[1:]]
    dump(root / "meta.json", {"classes": classes, "tags": []})

    def figure(shape: Shape) -> dict[str, Any]:
        value = {"classTitle": NAMES[shape.label], "geometryType": kind, "tags": []}
        if kind == "polygon":
            return value | {"points": {"exterior": shape.ring, "interior": []}}
        top, _, left, _ = shape.box
        image = Image.fromarray((shape.crop * 255).astype(np.uint8)).convert("P")
        data = base64.b64encode(zlib.compress(png(image))).decode()
        return value | {"bitmap": {"data": data, "origin": [left, top]}}

    for name, shapes in scenes.items():
        save_image(root / "ds0" / "img" / f"{name}.jpg")
        size = {"height": 48, "width": 64}
        value = {"description": "", "size": size, "objects": [figure(s) for s in shapes]}
        dump(root / "ds0" / "ann" / f"{name}.jpg.json", value)
    return root


def roboflow(root: Path, scenes: dict[str, list[Shape]]) -> Path:
    """train, valid and test, each with _classes.csv."""
    for place, (name, shapes) in enumerate(scenes.items()):
        folder = root / ("train", "valid", "test")[place % 3]
        stem = f"{name}_jpg.rf.0123456789abcdef0123456789abcdef"
        save_image(folder / f"{stem}.jpg")
        Image.fromarray(painted(shapes)).save(folder / f"{stem}_mask.png")
        lines = ["Pixel Value, Class", *(f"{i}, {n}" for i, n in enumerate(NAMES))]
        (folder / "_classes.csv").write_text("\n".join(lines) + "\n")
    return root
