"""The pages in a browser: the controls of the frames, the keyboard, print and accessibility."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from samantic.calibrate.page import write_overlay
from samantic.calibrate.pairs import RigPairs
from samantic.data.rig import read_rig
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


@pytest.fixture(scope="module")
def rig_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rig of which thermal has half RGB's pixels and lies 12 right and 6 below."""
    rng = np.random.default_rng(0)
    rgb = [rng.integers(0, 255, (96, 128, 3), "u1") for _ in range(2)]
    heat = [rng.random((48, 64), "f4") for _ in range(2)]
    path = tmp_path_factory.mktemp("rig") / "calibrate.html"
    matrix = np.array([[2.0, 0, 12], [0, 2, 6], [0, 0, 1]])
    write_overlay(path, RigPairs(["a<1>", "b"], rgb, heat), matrix, ["Estimated."], doubt=False)
    return path


@pytest.fixture(params=[390, 1400])
def overlay_page(
    browser: Browser, rig_page: Path, request: pytest.FixtureRequest
) -> Iterator[Page]:
    """The page of a rig on a phone and on a laptop; it must not complain."""
    page = browser.new_page(viewport={"width": request.param, "height": 900})
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(rig_page.as_uri())
    yield page
    page.close()
    assert problems == []


def downloaded(page: Page, path: Path) -> np.ndarray:
    with page.expect_download() as download:
        page.get_by_role("button", name="download rig.yaml").click()
    assert download.value.suggested_filename == "rig.yaml"
    download.value.save_as(path)
    return np.array(read_rig(str(path)).matrix)


def corner(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=f"{name} corner of thermal")


def test_a_rig_is_accepted_or_corrected(overlay_page: Page, tmp_path: Path) -> None:
    page, path = overlay_page, tmp_path / "rig.yaml"
    matrix = np.array([[2.0, 0, 12], [0, 2, 6], [0, 0, 1]])
    assert np.allclose(downloaded(page, path), matrix), "untouched it is as it was given"
    assert "as it was found" in path.read_text()
    # all corners 5 to the right: the same homography, moved
    names = ("top left", "top right", "bottom right", "bottom left")
    for name in names:
        corner(page, name).focus()
        for _ in range(5):
            page.keyboard.press("ArrowRight")
    assert page.get_by_role("status").inner_text().startswith("bottom left corner of thermal at 16")
    moved = matrix + np.array([[0, 0, 5], [0, 0, 0], [0, 0, 0]])
    assert np.allclose(downloaded(page, path), moved, atol=1e-6)
    assert "corrected by hand" in path.read_text()
    page.get_by_role("button", name="undo").click()
    corner(page, "bottom left").press("Shift+ArrowDown")
    corner(page, "bottom left").press("Control+ArrowUp")
    found = downloaded(page, path)
    there = found @ (-0.5, 47.5, 1)
    assert np.allclose(there[:2] / there[2], (15, 110.9), atol=1e-6)
    for other, wanted in (((-0.5, -0.5), (16, 5)), ((63.5, 47.5), (144, 101))):
        there = found @ (*other, 1)
        assert np.allclose(there[:2] / there[2], wanted, atol=1e-6)
    page.get_by_role("button", name="reset").click()
    assert np.allclose(downloaded(page, path), matrix)
    assert "as it was found" in path.read_text()


def test_a_corner_is_dragged_and_does_not_cross(overlay_page: Page, tmp_path: Path) -> None:
    page = overlay_page
    picture = page.locator(".stage img.rgb").bounding_box()
    box = corner(page, "top left").bounding_box()
    assert picture is not None
    assert box is not None
    scale = picture["width"] / 128
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    assert (x - picture["x"]) / scale - 0.5 == pytest.approx(11, abs=0.5 / scale)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 10 * scale, y + 4 * scale, steps=4)
    page.mouse.up()
    found = downloaded(page, tmp_path / "rig.yaml")
    there = found @ (-0.5, -0.5, 1)
    assert np.allclose(there[:2] / there[2], (21, 9), atol=1 / scale)
    thermal = page.locator(".stage img.thermal").bounding_box()
    moved = corner(page, "top left").bounding_box()
    assert thermal is not None
    assert moved is not None
    assert moved["x"] + 14 == pytest.approx(x + 10 * scale, abs=1.5)
    for _ in range(20):
        corner(page, "top left").press("Shift+ArrowDown")
    assert "the corners would cross" in page.get_by_role("status").inner_text()


def test_the_overlay_can_be_looked_at(overlay_page: Page) -> None:
    page = overlay_page
    assert told(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]  # type: ignore[index]
    thermal = page.locator(".stage img.thermal")
    assert thermal.get_attribute("alt") == "thermal of a<1>"
    page.get_by_label("Pair").select_option("b")
    assert thermal.get_attribute("alt") == "thermal of b"
    page.get_by_label("Look").select_option("difference")
    assert thermal.evaluate("e => e.style.mixBlendMode") == "difference"
    blink = page.get_by_role("button", name="blink")
    blink.click()
    assert blink.get_attribute("aria-pressed") == "true"
    blink.click()
    assert thermal.evaluate("e => e.style.visibility") == ""
    outline = page.evaluate("document.querySelectorAll('.corner').length")
    assert outline == 4
