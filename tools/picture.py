"""Draw the picture of the README: a generated night scene and what nano finds in it.

python tools/picture.py docs/images/nano.jpg
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

import samantic
from samantic.scenes import draw_scene

SEED, INDEX = 2026, 4
COLOURS = {
    "car": (0, 170, 255),
    "person": (255, 200, 0),
    "bike": (255, 90, 200),
    "car stop": (120, 230, 120),
    "color cone": (255, 110, 40),
    "bump": (190, 150, 255),
    "curve": (0, 230, 200),
    "guardrail": (200, 200, 120),
}
"""Bright, and apart from each other by night; those of the benchmark are dark."""

HEAD, GAP = 34, 8


def font(size: int) -> ImageFont.FreeTypeFont:
    """The letters that matplotlib brings."""
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", size)


def coloured(ground: NDArray[np.uint8], labels: NDArray[np.uint8], names: list[str]) -> Image.Image:
    """Classes in colour over a gray image, each with a light outline."""
    picture = np.repeat(ground[..., None], 3, 2).astype(np.float32)
    for label, name in enumerate(names):
        if name in COLOURS:
            area = labels == label
            picture[area] = 0.35 * picture[area] + 0.65 * np.array(COLOURS[name])
            picture[area & ~ndimage.binary_erosion(area, iterations=2)] = 255
    return Image.fromarray(picture.round().astype(np.uint8))


def legend(draw: ImageDraw.ImageDraw, names: list[str], left: int, top: int) -> None:
    """A swatch and a word for each class."""
    for name in names:
        draw.rectangle((left, top + 3, left + 18, top + 21), fill=COLOURS[name])
        draw.text((left + 26, top), name, fill="white", font=font(20))
        left += 40 + int(draw.textlength(name, font(20))) + 20


def main(out: Path) -> None:
    """Predict the scene and write the picture."""
    scene = draw_scene(SEED, INDEX, (480, 640), night=True)
    model = samantic.load("nano", device="cpu")
    prediction = model.predict(rgb=scene.rgb, thermal=scene.thermal)
    names = list(prediction.classes)
    panels = {
        "RGB, by night": Image.fromarray(scene.rgb),
        "thermal": Image.fromarray(scene.thermal).convert("RGB"),
        "nano": coloured(scene.thermal, prediction.labels, names),
    }
    height, width = scene.labels.shape
    canvas = Image.new("RGB", (3 * width + 2 * GAP, height + HEAD), (24, 24, 24))
    draw = ImageDraw.Draw(canvas)
    for index, (title, panel) in enumerate(panels.items()):
        left = index * (width + GAP)
        draw.text((left + 10, 4), title, fill="white", font=font(22))
        canvas.paste(panel, (left, HEAD))
    found = [name for name, share in prediction.shares().items() if share > 0.002]
    legend(draw, [name for name in found if name in COLOURS], 2 * (width + GAP) + 90, 5)
    canvas.resize((canvas.width * 2 // 3, canvas.height * 2 // 3)).save(out, quality=90)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
