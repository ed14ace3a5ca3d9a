"""The pages in a browser: the controls of the frames, the keyboard, print and accessibility."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from tests.report_data import CLASSES, write_pages

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="no chromium, chromium-browser or google-chrome here"),
]

LAYERS = ["RGB", "thermal", "truth", "prediction", "errors", "confidence"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    write_pages(folder)
    return folder


@pytest.fixture
def report(browser: Browser, pages: Path) -> Iterator[Page]:
    """The report, opened from disk; it must not complain."""
    page = browser.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto((pages / "report.html").as_uri())
    yield page
    page.close()
    assert problems == []


def shown_frames(page: Page) -> list[str]:
    return page.locator("figure:visible figcaption b").all_inner_texts()


def shown_layers(page: Page) -> list[str]:
    """What the pictures of the first frame show."""
    return page.locator(".pictures").first.locator("div:visible").all_inner_texts()


def told(page: Page) -> list[str]:
    """What axe says against a page."""
    return [
        f"{violation['id']}: {node['html']}: {node['failureSummary']}"
        for violation in Axe().run(page).response["violations"]
        for node in violation["nodes"]
    ]


def status(page: Page) -> str:
    return page.get_by_role("status").inner_text()


def test_one_layer_at_a_time(report: Page) -> None:
    assert shown_layers(report) == LAYERS
    small = report.locator("img:visible").first.bounding_box()
    for layer in LAYERS:
        report.get_by_role("radio", name=layer, exact=True).check()
        assert shown_layers(report) == [layer]
    large = report.locator("img:visible").first.bounding_box()
    assert small is not None
    assert large is not None
    assert large["width"] > 2 * small["width"]
    report.get_by_role("radio", name="side by side").check()
    assert shown_layers(report) == LAYERS


def test_filters_and_order(report: Page) -> None:
    assert shown_frames(report) == ["a1D", "b<2>D", "c3N"]
    assert status(report) == "3 of 3 frames"
    classes = report.get_by_role("combobox", name="Class")
    assert classes.locator("option").all_inner_texts() == ["all", *CLASSES]
    classes.select_option(label=CLASSES[1])
    assert shown_frames(report) == ["a1D", "b<2>D"]
    assert status(report) == "2 of 3 frames"
    subsets = report.get_by_role("combobox", name="Subset")
    subsets.select_option(label="night")
    assert shown_frames(report) == []
    assert status(report) == "0 of 3 frames"
    classes.select_option(label="all")
    assert shown_frames(report) == ["c3N"]
    subsets.select_option(label="all")
    order = report.get_by_role("combobox", name="Order")
    order.select_option(label="best first")
    assert shown_frames(report) == ["b<2>D", "c3N", "a1D"]
    order.select_option(label="worst first")
    assert shown_frames(report) == ["a1D", "b<2>D", "c3N"]


def test_keyboard(report: Page) -> None:
    reached = []
    for _ in range(30):
        report.keyboard.press("Tab")
        reached.append(report.evaluate("document.activeElement.name || ''"))
        if reached[-1] == "layer":
            outline = report.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none"
            report.keyboard.press("ArrowRight")
            report.keyboard.press("ArrowRight")
            assert shown_layers(report) == ["thermal"]
        if reached[-1] == "order":
            break
    assert [name for name in reached if name] == ["layer", "class", "subset", "order"]


def test_without_script_all_is_shown(browser: Browser, pages: Path) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto((pages / "report.html").as_uri())
    assert shown_layers(page) == LAYERS
    assert len(shown_frames(page)) == 3
    assert not page.locator(".controls").is_visible()
    page.close()


def test_print_shows_frames_side_by_side(report: Page) -> None:
    report.get_by_role("radio", name="truth").check()
    report.emulate_media(media="print", color_scheme="dark")
    assert shown_layers(report) == LAYERS
    assert not report.locator(".controls").is_visible()
    background = "getComputedStyle(document.body).backgroundColor"
    assert report.evaluate(background) == "rgb(255, 255, 255)"
    report.emulate_media(media="screen", color_scheme="dark")
    assert report.evaluate(background) != "rgb(255, 255, 255)"
    assert shown_layers(report) == ["truth"]


def test_nothing_sticks_out_of_a_narrow_window(report: Page) -> None:
    report.set_viewport_size({"width": 360, "height": 700})
    assert report.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_page_of_several_models_has_the_controls_that_make_sense(
    browser: Browser, pages: Path
) -> None:
    page = browser.new_page()
    page.goto((pages / "demo.html").as_uri())
    predictions = ["prediction, fused", "prediction, thermal"]
    assert shown_layers(page) == ["RGB", "thermal", "truth", *predictions]
    page.get_by_role("radio", name=predictions[1]).check()
    assert shown_layers(page) == predictions[1:]
    assert page.locator("select").count() == 1
    page.close()


def test_predictions_can_be_looked_at_by_class(browser: Browser, pages: Path) -> None:
    page = browser.new_page()
    page.goto((pages / "predictions" / "report.html").as_uri())
    assert shown_layers(page) == ["RGB", "thermal", "prediction"]
    assert len(shown_frames(page)) == 2
    page.get_by_label("Class").select_option("<b>car</b>")
    assert shown_frames(page) == ["b<2>D"]
    assert page.get_by_text("not a readable image").is_visible()
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["report", "demo", "tables", "predictions/report"])
def test_accessibility(browser: Browser, pages: Path, name: str, scheme: str) -> None:
    page = browser.new_page()
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto((pages / f"{name}.html").as_uri())
    assert told(page) == []
    page.close()


@pytest.fixture(params=[390, 1400])
def sized(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page as wide as a phone, and as a laptop."""
    page = browser.new_page(viewport={"width": request.param, "height": 900})
    yield page
    page.close()


@pytest.mark.parametrize("name", ["report", "demo", "tables", "predictions/report"])
def test_phone_and_laptop(sized: Page, pages: Path, name: str) -> None:
    """Accessible, nothing cut off, and what is wider than the window says so."""
    sized.goto((pages / f"{name}.html").as_uri())
    width = sized.viewport_size["width"] if sized.viewport_size else 0
    assert sized.evaluate("document.documentElement.scrollWidth") <= width
    assert told(sized) == []
    regions = sized.locator(".scroll")
    for index in range(regions.count()):
        region = regions.nth(index)
        if not region.is_visible():
            continue  # in a part that is folded
        wide = region.evaluate("e => e.scrollWidth > e.clientWidth + 1")
        assert (region.get_attribute("tabindex") == "0") == wide
        hint = region.evaluate("e => e.previousElementSibling?.className ?? ''")
        assert (hint == "hint") == wide
    smallest = sized.evaluate(
        "Math.min(99, ...[...document.querySelectorAll('.figures svg')].map("
        "e => e.getBoundingClientRect().width / e.viewBox.baseVal.width))"
    )
    assert smallest >= 0.79 * 96 / 72, "letters of charts can be read"


def test_a_wide_window_is_used(browser: Browser, pages: Path) -> None:
    page = browser.new_page(viewport={"width": 1900, "height": 900})
    page.goto((pages / "report.html").as_uri())
    for place in ("#gallery .pictures", ".columns"):
        children = page.locator(place).first.locator("> *")
        right = children.last.bounding_box()
        assert right is not None
        assert right["x"] + right["width"] > 0.7 * 1900, place
    page.close()


def test_enlarging_with_the_keyboard(report: Page) -> None:
    report.get_by_role("button", name="Enlarge RGB of a1D").focus()
    report.keyboard.press("Enter")
    dialog = report.get_by_role("dialog")
    caption = dialog.locator("p")
    assert caption.inner_text() == "RGB of a1D"
    small = report.get_by_role("button", name="Enlarge RGB of a1D", include_hidden=True)
    sizes = [box["width"] for x in (dialog, small) if (box := x.bounding_box())]
    assert sizes[0] > 3 * sizes[1]
    for key, shown in (
        ("ArrowRight", "thermal of a1D"),
        ("ArrowRight", "truth of a1D"),
        ("ArrowDown", "truth of b<2>D"),
        ("ArrowLeft", "thermal of b<2>D"),
        ("ArrowUp", "thermal of a1D"),
        ("ArrowUp", "thermal of c3N"),
    ):
        report.keyboard.press(key)
        assert caption.inner_text() == shown
    assert told(report) == []
    report.keyboard.press("Escape")
    assert not dialog.is_visible()
    focused = report.evaluate("document.activeElement.getAttribute('aria-label')")
    assert focused == "Enlarge thermal of c3N"


def test_enlarging_passes_by_what_is_filtered_out(report: Page) -> None:
    report.get_by_role("combobox", name="Class").select_option(label=CLASSES[2])
    report.get_by_role("button", name="Enlarge truth of c3N").click()
    dialog = report.get_by_role("dialog")
    dialog.get_by_role("button", name="Same picture of the next frame").click()
    assert dialog.locator("p").inner_text() == "truth of c3N"
    dialog.get_by_role("button", name="Next picture of the frame").click()
    assert dialog.locator("p").inner_text() == "prediction of c3N"
    dialog.get_by_role("button", name="Close").click()
    assert not dialog.is_visible()


def test_misalignment_by_slider_and_blinking(browser: Browser, pages: Path) -> None:
    page = browser.new_page()
    page.goto((pages / "tables.html").as_uri())
    box = page.locator(".compare").first
    slider, above = box.get_by_role("slider"), box.locator("img").nth(1)
    assert slider.get_attribute("aria-label") == "Border between RGB of b<2>D and thermal of b<2>D"
    slider.focus()
    page.keyboard.press("End")
    assert above.evaluate("e => e.style.clipPath") == "inset(0px 0px 0px 100%)"
    blink = box.get_by_role("button", name="blink")
    blink.click()
    assert blink.get_attribute("aria-pressed") == "true"
    above.wait_for(state="hidden")
    above.wait_for(state="visible")
    blink.click()
    page.wait_for_timeout(700)
    assert above.evaluate("e => e.style.visibility") == ""
    assert above.evaluate("e => e.style.clipPath") == "inset(0px 0px 0px 100%)"
    page.close()


def test_findings_are_coloured(browser: Browser, pages: Path) -> None:
    page = browser.new_page()
    page.goto((pages / "tables.html").as_uri())
    colours = {
        page.locator(f".findings .{kind} strong").evaluate("e => getComputedStyle(e).color")
        for kind in ("error", "warning")
    }
    colours.add(page.locator("h2").first.evaluate("e => getComputedStyle(e).color"))
    assert len(colours) == 3
    page.close()
