"""Draw the picture of the README: a generated night scene and nano's prediction.

python tools/picture.py docs/images/nano.jpg
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

import samantic
from samantic.display.palette import display_colours
from samantic.scenes import draw_scene

SEED, INDEX = 2026, 4

HEAD, GAP = 34, 8


def font(size: int) -> ImageFont.FreeTypeFont:
    """The font that comes with matplotlib."""
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", size)


def legend(
    draw: ImageDraw.ImageDraw, colours: dict[str, tuple[int, int, int]], left: int, top: int
) -> None:
    """A swatch and a word for each class."""
    for name, colour in colours.items():
        draw.rectangle((left, top + 3, left + 18, top + 21), fill=colour)
        draw.text((left + 26, top), name, fill="white", font=font(20))
        left += 40 + int(draw.textlength(name, font(20))) + 20


def main(out: Path) -> None:
    """Predict the scene and write the picture."""
    scene = draw_scene(SEED, INDEX, (480, 640), night=True)
    model = samantic.load("nano", device="cpu")
    prediction = model.predict(rgb=scene.rgb, thermal=scene.thermal)
    colours = dict(zip(prediction.classes, display_colours(prediction.classes), strict=True))
    panels = {
        "RGB, by night": Image.fromarray(scene.rgb),
        "thermal": Image.fromarray(scene.thermal).convert("RGB"),
        "nano": prediction.overlay(),
    }
    height, width = scene.labels.shape
    canvas = Image.new("RGB", (3 * width + 2 * GAP, height + HEAD), (24, 24, 24))
    draw = ImageDraw.Draw(canvas)
    for index, (title, panel) in enumerate(panels.items()):
        left = index * (width + GAP)
        draw.text((left + 10, 4), title, fill="white", font=font(22))
        canvas.paste(panel, (left, HEAD))
    shares = prediction.shares()
    found = {name: colours[name] for name in prediction.classes[1:] if shares[name] > 0.002}
    legend(draw, found, 2 * (width + GAP) + 90, 5)
    canvas.resize((canvas.width * 2 // 3, canvas.height * 2 // 3)).save(out, quality=90)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
