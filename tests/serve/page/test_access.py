"""The page by keys, by touch, at every width and in both colour schemes."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.serve.page.pages import (
    FILES,
    MARKS,
    TITLE,
    Truth,
    answered,
    drop,
    opened,
    told,
)

pytestmark = MARKS


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_accessible_and_whole_at_every_width(
    browser: Browser, address: str, width: int, scheme: str
) -> None:
    view = {"width": width, "height": 900}
    with opened(browser, address, viewport=view, color_scheme=scheme) as page:
        expect(page.locator(".pictures img")).to_have_count(20)
        assert told(page) == []
        page.get_by_role("combobox", name="Compare with").select_option("nano-small")
        drop(page, *FILES)
        page.locator(".frame").first.hover(position={"x": 30, "y": 30})
        assert told(page) == []
        page.get_by_role("combobox", name="Compare with").select_option("")
        answered(page)
        assert told(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        frame = page.locator(".frame").bounding_box()
        assert frame is not None
        assert frame["width"] > 0.4 * width


def test_colours_follow_the_system_until_switched(page: Page) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.emulate_media(color_scheme="dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    dark = page.evaluate(paper)
    assert light != dark
    switch = page.get_by_role("button", name="Dark colours")
    assert switch.get_attribute("aria-pressed") == "true"
    switch.click()
    assert page.evaluate(paper) == light
    page.reload()
    assert page.evaluate(paper) == light
    assert switch.get_attribute("aria-pressed") == "false"


def test_all_by_keys(page: Page) -> None:
    """From the first key to a result and through its controls, with the focus always seen."""
    expect(page.locator(".pictures img")).to_have_count(20)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reached = tab_until(page, TITLE)
    assert {"Model", "Compare with", "Open files", "Dark colours"} <= set(reached)
    page.keyboard.press("Enter")
    expect(page.locator("#result")).to_be_visible()
    answered(page)
    page.locator("#model").focus()
    reached = tab_until(page, "All of the API")
    for name in ("left", "right", "Opacity", "Outlines only", "Ground", "Swap RGB and thermal"):
        assert name in reached, reached
    for start in ("Read pixels of nano", "Border between", "RGB", "All", "Labels PNG", "JSON"):
        assert any(name.startswith(start) for name in reached), start


NAME = """() => {
    const e = document.activeElement;
    if (e.type === "radio") return e.name;
    const label = e.getAttribute("aria-label") ?? e.labels?.[0]?.innerText;
    return (label ?? e.innerText).split("\\n")[0].trim();
}"""

SEEN = """() => {
    const e = document.activeElement;
    for (let at = e; at; at = at.parentElement) {
        const style = getComputedStyle(at);
        if (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 1) return true;
    }
    return false;
}"""


def tab_until(page: Page, last: str) -> list[str]:
    """Names of what the key Tab reaches; each shows that it has the focus."""
    reached: list[str] = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(NAME))
        assert page.evaluate(SEEN), reached[-1]
        if reached[-1].startswith(last):
            return reached
    raise AssertionError(reached)


def test_pixels_by_touch(browser: Browser, address: str, truth: Truth) -> None:
    options = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    with opened(browser, address, **options) as page:
        drop(page, *FILES)
        page.locator(".frame").tap(position={"x": 60, "y": 40})
        assert page.locator(".bubble").inner_text().split(" ")[0] in " ".join(truth.names)
        assert page.locator("#readout").inner_text().startswith("x ")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
