"""A server in this process, and the page of it in a browser whose network is cut."""

from __future__ import annotations

import io
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx
import numpy as np
import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from samantic.scenes import draw_scene
from samantic.serve.app import create_app
from samantic.serve.scenes import SCENES
from samantic.serve.server import listen, url_of
from samantic.serve.settings import Settings
from tests.serve.servers import png

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)

MARKS = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="no chromium, chromium-browser or google-chrome here"),
]

SIZE = (120, 160)
SCENE = draw_scene(7, 3, SIZE)
PAIR = {"rgb": png(SCENE.rgb), "thermal": png(SCENE.thermal)}
FILES = [("street_rgb.png", PAIR["rgb"]), ("street_thermal.png", PAIR["thermal"])]
TITLE = SCENES["night-street"].title
REFUSED = "Failed to load resource: the server responded with a status of"
"""What a browser says of every answer of 400 and more."""


class Truth(NamedTuple):
    """What a model makes of the pair: (H, W) labels, (H, W) confidence, names of its classes."""

    labels: NDArray[np.uint8]
    confidence: NDArray[np.uint8]
    names: list[str]

    def at(self, x: int, y: int) -> str:
        """What the page says of a pixel."""
        return f"{self.names[self.labels[y, x]]} {round(100 * int(self.confidence[y, x]) / 255)} %"


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@contextmanager
def site(*models: str, token: str | None = None) -> Iterator[str]:
    """The address of a server of models, in a thread of this process."""
    settings = Settings(models, port=0, token=token, options={"device": "cpu"})
    config = uvicorn.Config(create_app(settings), ws="none", log_level="error")
    server = uvicorn.Server(config)
    with listen(settings.host, 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            address = f"{url_of(listener)}/"
            while httpx.get(f"{address}ready").status_code != 200:
                time.sleep(0.05)
            yield address
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def opened(browser: Browser, address: str, *ignored: str, **options: Any) -> Iterator[Page]:
    """The page at an address that reaches nothing else, and complains of nothing but `ignored`."""
    context = browser.new_context(**options)
    problems: list[str] = []

    def only_server(route: Route) -> None:
        if route.request.url.startswith((address, "blob:", "data:")):
            route.continue_()
        else:
            problems.append(f"asked for {route.request.url}")
            route.abort()

    context.route("**/*", only_server)
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(address)
    yield page
    context.close()
    told = [one for one in problems if not any(part in one for part in ignored)]
    assert told == [], told


def answered(page: Page) -> None:
    """Wait until the models have answered."""
    expect(page.locator("body")).to_have_attribute("aria-busy", "false", timeout=20_000)


def choose_scene(page: Page) -> None:
    page.get_by_role("button", name=TITLE).click()
    expect(page.locator("#result")).to_be_visible()
    answered(page)


def drop(page: Page, *files: tuple[str, bytes]) -> None:
    """Drop files on the page, as from a window of the system."""
    given = [{"name": name, "bytes": list(content)} for name, content in files]
    page.evaluate(
        """files => {
            const dataTransfer = new DataTransfer();
            for (const {name, bytes} of files) {
                dataTransfer.items.add(new File([new Uint8Array(bytes)], name));
            }
            const place = document.getElementById("drop");
            for (const kind of ["dragenter", "dragover", "drop"]) {
                const options = {dataTransfer, bubbles: true, cancelable: true};
                place.dispatchEvent(new DragEvent(kind, options));
            }
        }""",
        given,
    )
    answered(page)


def ask(address: str, files: dict[str, bytes], **fields: str) -> httpx.Response:
    return httpx.post(f"{address}predict", files=files, data=fields, timeout=30)


def pixels(content: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(content)))


def canvas(page: Page, side: int, stage: int = 0) -> NDArray[np.uint8]:
    """What a canvas of a stage shows, (H, W, 3); side 0 is the right one, which lies beneath."""
    place = page.locator(".frame").nth(stage).locator("canvas").nth(side)
    shape = place.evaluate("e => [e.height, e.width]")
    data = place.evaluate("""e => {
            const copy = new OffscreenCanvas(e.width, e.height);
            const context = copy.getContext("2d", {willReadFrequently: true});
            context.drawImage(e, 0, 0);
            return [...context.getImageData(0, 0, e.width, e.height).data];
        }""")
    return np.array(data, np.uint8).reshape(*shape, 4)[..., :3]


def is_shown(page: Page, overlay: bytes, stage: int = 0) -> bool:
    """Whether the right side of a stage is an overlay of the server; a browser may round."""
    return bool(np.abs(canvas(page, 0, stage).astype(int) - pixels(overlay)).max() <= 1)


def legend(page: Page) -> dict[str, str]:
    """The share that stands beside each class."""
    rows = page.locator("#legend tbody tr")
    return dict(zip(rows.locator("th").all_inner_texts(), shares(page), strict=True))


def shares(page: Page) -> list[str]:
    return page.locator("#legend .share").all_inner_texts()


def told(page: Page) -> list[str]:
    """What axe says against a page."""
    return [
        f"{violation['id']}: {node['html']}: {node['failureSummary']}"
        for violation in Axe().run(page).response["violations"]
        for node in violation["nodes"]
    ]
