"""A browser, a server of two models whose scenes are small, and its page."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page

from samantic.serve import scenes
from tests.serve.page.pages import PAIR, SIZE, Truth, ask, chromium, opened, pixels, site


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="package")
def address() -> Iterator[str]:
    """Of a server of nano and nano-small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scenes, "SIZE", SIZE)
        scenes.picture.cache_clear()
        with site("nano", "nano-small") as found:
            yield found
        scenes.picture.cache_clear()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with opened(browser, address, viewport={"width": 1400, "height": 900}) as found:
        yield found


@pytest.fixture(scope="package")
def truth(address: str) -> Truth:
    """What nano makes of the pair."""
    labels = pixels(ask(address, PAIR, format="labels").content)
    confidence = pixels(ask(address, PAIR, format="confidence").content)
    classes = httpx.get(f"{address}models").json()["models"][0]["classes"]
    return Truth(labels, confidence, [one["name"] for one in classes])
