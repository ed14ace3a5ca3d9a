"""Draw the picture of docs/serve.md: the page of a running server with a generated scene.

samantic serve nano
python tools/page_picture.py http://127.0.0.1:8000/ docs/images/serve.png
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

SCENE = "Riders and cars at night"
VIEW = {"width": 1240, "height": 800}
COLOURS = 176

POINT = 0.73, 0.45
"""Position of the pointer, as shares of the picture's width and height."""


def main(address: str, out: Path) -> None:
    """Click a scene, point at it, and save the page as a picture with few colours."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        page = browser.new_page(viewport=VIEW)
        page.goto(address)
        page.get_by_role("button", name=SCENE).click()
        page.locator("#stages figure").wait_for()
        page.locator(".swipe").fill("38")
        box = page.locator(".frame").bounding_box()
        assert box is not None  # noqa: S101  # the element was awaited
        page.mouse.move(
            box["x"] + POINT[0] * box["width"], box["y"] + POINT[1] * box["height"], steps=2
        )
        seen = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        browser.close()
    seen.quantize(COLOURS, method=Image.Quantize.MEDIANCUT).save(out, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
