"""The page in a browser: files in, what the model makes of them, and every control by every way."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from samantic.scenes import draw_scene
from samantic.serve import scenes
from samantic.serve.page import FOLDER
from tests.serve.pages import (
    CHROMIUM,
    answered,
    ask,
    canvas,
    chromium,
    drop,
    legend,
    opened,
    pixels,
    site,
    told,
)
from tests.serve.servers import png

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="no chromium, chromium-browser or google-chrome here"),
]

SIZE = (120, 160)
SCENE = draw_scene(7, 3, SIZE)
PAIR = {"rgb": png(SCENE.rgb), "thermal": png(SCENE.thermal)}
FILES = [("street_rgb.png", PAIR["rgb"]), ("street_thermal.png", PAIR["thermal"])]
TITLE = "A street at night"
REFUSED = "Failed to load resource: the server responded with a status of"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server of two models, whose scenes are small."""
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


def choose_scene(page: Page) -> None:
    page.get_by_role("button", name=TITLE).click()
    expect(page.locator("#result")).to_be_visible()
    answered(page)


def test_a_scene_by_click_shows_what_the_server_answers(page: Page, address: str) -> None:
    expect(page.locator(".pictures img")).to_have_count(20)
    choose_scene(page)
    files = {one: scenes.picture("night-street", one) for one in ("rgb", "thermal")}
    answer = ask(address, files, model="nano").json()
    expected = {
        one["name"] + (" (clear)" if one["id"] == 0 else ""): one["share"]
        for one in answer["classes"]
    }
    found = legend(page)
    assert list(found)[-1] == "unlabelled (clear)"
    assert set(found) == set(expected)
    assert len(found) > 2
    for name, share in expected.items():
        text = f"{100 * share:.1f} %" if share >= 0.0005 else "< 0.1 %"
        assert found[name] == text
    overlay = pixels(ask(address, files, model="nano", format="overlay").content)
    assert np.abs(canvas(page, 0).astype(int) - overlay).max() <= 1
    assert (canvas(page, 1) == pixels(files["rgb"])).all()
    assert "nano took" in page.get_by_role("status").inner_text()


def test_dropped_files_find_their_cameras(page: Page) -> None:
    drop(page, ("b.png", PAIR["thermal"]), ("a.png", PAIR["rgb"]))
    names = page.locator("#inputs dd")
    assert names.all_inner_texts() == ["a.png", "b.png"]
    before = legend(page)
    page.get_by_role("button", name="Swap RGB and thermal").click()
    answered(page)
    assert names.all_inner_texts() == ["b.png", "a.png"]
    page.get_by_role("button", name="Swap RGB and thermal").click()
    answered(page)
    assert names.all_inner_texts() == ["a.png", "b.png"]
    assert legend(page) == before


@pytest.mark.parametrize(
    ("rgb", "thermal"), [("x_vis.png", "x_ir.png"), ("FLIR-1-visible.png", "FLIR-1.png")]
)
def test_names_tell_the_cameras_of_pictures_alike(page: Page, rgb: str, thermal: str) -> None:
    gray = png(np.dstack(3 * [SCENE.thermal]))
    drop(page, (thermal, gray), (rgb, gray))
    assert page.locator("#inputs dd").all_inner_texts() == [rgb, thermal]


def test_swiping_by_keys_and_by_hand(page: Page) -> None:
    drop(page, *FILES)
    slider = page.get_by_role("slider", name="Border between left and right, nano")
    above = page.locator(".above")
    width = above.evaluate("e => e.clientWidth")

    def border() -> float:
        right = above.evaluate("e => getComputedStyle(e).clipPath").split()[1]
        whole = re.fullmatch(r"calc\(100% - ([\d.]+)%\)|([\d.]+)%?", right)
        assert whole is not None, right
        return float(whole[1]) if whole[1] else 100 - float(whole[2])

    assert border() == 50
    slider.focus()
    page.keyboard.press("End")
    assert border() == 100
    page.keyboard.press("ArrowLeft")
    assert border() == 99.5
    page.keyboard.press("Home")
    assert border() == 0
    box = page.locator(".frame").bounding_box()
    assert box is not None
    page.mouse.move(box["x"], box["y"] + 90)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.25 * width, box["y"] + 90, steps=4)
    page.mouse.up()
    assert border() == pytest.approx(25, abs=1)


def test_views_of_both_sides(page: Page) -> None:
    drop(page, *FILES)
    left, right = page.get_by_role("group", name="Left"), page.get_by_role("group", name="Right")
    left.get_by_role("radio", name="Thermal").check()
    assert (canvas(page, 1) == SCENE.thermal[..., None]).all()
    right.get_by_role("radio", name="RGB").check()
    assert (canvas(page, 0) == SCENE.rgb).all()
    right.get_by_role("radio", name="Confidence").check()
    assert canvas(page, 0)[..., 0].max() > 200
    assert page.locator(".tag").all_inner_texts() == ["Thermal", "Confidence"]


def test_opacity_outlines_and_ground(page: Page, address: str) -> None:
    drop(page, *FILES)
    labels = pixels(ask(address, PAIR, format="labels").content)
    shown = canvas(page, 0)
    page.get_by_role("slider", name="Opacity").fill("0")
    clear = canvas(page, 0)
    assert (clear != shown).any()
    assert (clear[labels == 0] == shown[labels == 0]).all()
    page.get_by_role("combobox", name="Ground").select_option("thermal")
    assert (canvas(page, 0) != clear).any()
    page.get_by_role("combobox", name="Ground").select_option("auto")
    page.get_by_role("checkbox", name="Outlines only").check()
    lines = canvas(page, 0)
    assert page.get_by_role("slider", name="Opacity").is_disabled()
    changed = (lines != clear).any(-1)
    assert 0 < changed.sum() < 0.5 * (labels != 0).sum()


def test_a_class_is_switched_off_and_on(page: Page, address: str) -> None:
    drop(page, *FILES)
    labels = pixels(ask(address, PAIR, format="labels").content)
    classes = ask(address, PAIR).json()["classes"]
    one = max(classes[1:], key=lambda each: each["share"])
    before = canvas(page, 0)
    box = page.get_by_role("checkbox", name=one["name"], exact=True)
    box.uncheck()
    assert box.evaluate("e => e === document.activeElement") or box.is_visible()
    inner = canvas(page, 0)[labels == one["id"]]
    assert (inner != before[labels == one["id"]]).any(-1).mean() > 0.8
    assert f'"{one["name"]}"' not in page.locator("#python").inner_text().split("select")[1]
    page.get_by_role("button", name="None").click()
    assert page.locator("#legend input:checked").count() == 0
    page.get_by_role("button", name="All", exact=True).click()
    assert (canvas(page, 0) == before).all()
    assert "select" not in page.locator("#python").inner_text()


def expected_at(
    labels: np.ndarray, confidence: np.ndarray, x: int, y: int, names: list[str]
) -> str:
    return f"{names[labels[y, x]]} {round(100 * int(confidence[y, x]) / 255)} %"


@pytest.fixture(scope="module")
def truth(address: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Labels and confidence of the pair, and the names of the classes."""
    labels = pixels(ask(address, PAIR, format="labels").content)
    confidence = pixels(ask(address, PAIR, format="confidence").content)
    import httpx

    models = httpx.get(f"{address}models").json()["models"]
    return labels, confidence, [one["name"] for one in models[0]["classes"]]


def test_pixels_by_mouse_and_keys(
    page: Page, truth: tuple[np.ndarray, np.ndarray, list[str]]
) -> None:
    drop(page, *FILES)
    labels, confidence, names = truth
    box = page.locator(".frame").bounding_box()
    assert box is not None
    places = [
        np.argwhere(labels == one)[len(np.argwhere(labels == one)) // 2]
        for one in np.unique(labels)
    ]
    for y, x in places:
        page.mouse.move(
            box["x"] + (x + 0.5) * box["width"] / SIZE[1],
            box["y"] + (y + 0.5) * box["height"] / SIZE[0],
        )
        text = expected_at(labels, confidence, x, y, names)
        assert page.locator("#readout").inner_text().split("\n") == [f"x {x}, y {y}", text] or (
            page.locator("#readout").inner_text().replace("\n", "") == f"x {x}, y {y}{text}"
        )
        assert page.locator(".bubble").inner_text() == text
    assert page.locator("#spoken").inner_text() == ""
    page.locator(".probe").focus()
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("ArrowUp")
    x, y = max(0, int(x) - 10), max(0, int(y) - 1)
    spoken = f"x {x}, y {y}, {expected_at(labels, confidence, x, y, names)}"
    assert page.locator("#spoken").text_content() == spoken
    page.mouse.move(5, 5)
    assert not page.locator(".bubble").is_visible()


def test_pixels_by_touch(
    browser: Browser, address: str, truth: tuple[np.ndarray, np.ndarray, list[str]]
) -> None:
    options = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    with opened(browser, address, **options) as page:
        drop(page, *FILES)
        page.locator(".frame").tap(position={"x": 60, "y": 40})
        assert page.locator(".bubble").inner_text().split(" ")[0] in " ".join(truth[2])
        assert page.locator("#readout").inner_text().startswith("x ")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_one_camera_alone(page: Page, address: str) -> None:
    drop(page, ("lonely_ir.png", PAIR["thermal"]))
    assert page.get_by_role("group", name="Left").get_by_role("radio", name="RGB").is_disabled()
    assert page.locator("#inputs dd").all_inner_texts() == ["Add an RGB picture", "lonely_ir.png"]
    overlay = ask(address, {"thermal": PAIR["thermal"]}, format="overlay").content
    assert np.abs(canvas(page, 0).astype(int) - pixels(overlay)).max() <= 1
    for name in ("RGB", "Thermal"):
        assert page.get_by_role("switch", name=name).is_disabled()
    page.get_by_label("Read as").select_option("rgb")
    answered(page)
    assert page.locator("#inputs dd").first.inner_text() == "lonely_ir.png"
    page.get_by_label("Read as").select_option("thermal")
    answered(page)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Add an RGB picture").click()
    chooser.value.set_files({"name": "n.png", "mimeType": "image/png", "buffer": PAIR["rgb"]})
    answered(page)
    expect(page.locator("#inputs dd")).to_have_text(["n.png", "lonely_ir.png"])


def test_a_camera_that_is_missing(page: Page, address: str) -> None:
    drop(page, *FILES)
    page.get_by_role("switch", name="RGB").uncheck()
    answered(page)
    overlay = ask(address, {"thermal": PAIR["thermal"]}, format="overlay").content
    assert np.abs(canvas(page, 0).astype(int) - pixels(overlay)).max() <= 1
    assert (canvas(page, 1) == SCENE.rgb).all(), "RGB can still be looked at"
    assert page.get_by_role("switch", name="Thermal").is_disabled()
    assert "RGB is missing" in page.locator("#notes").inner_text()
    assert "-F rgb=" not in page.locator("#curl").inner_text()
    page.get_by_role("switch", name="RGB").check()
    answered(page)
    assert "-F rgb=@street_rgb.png" in page.locator("#curl").inner_text()


@pytest.mark.parametrize("camera", ["rgb", "thermal"])
def test_one_camera_of_four_channels(page: Page, address: str, camera: str) -> None:
    whole = png(np.dstack([SCENE.rgb, SCENE.thermal]))
    drop(page, ("4.png", whole))
    assert page.locator("#inputs dt").all_inner_texts() == ["RGB + thermal"]
    assert (
        np.abs(
            canvas(page, 0).astype(int) - pixels(ask(address, PAIR, format="overlay").content)
        ).max()
        <= 1
    )
    other = {"rgb": "Thermal", "thermal": "RGB"}[camera]
    page.get_by_role("switch", name=other).uncheck()
    answered(page)
    overlay = ask(address, {camera: PAIR[camera]}, format="overlay").content
    assert np.abs(canvas(page, 0).astype(int) - pixels(overlay)).max() <= 1


def test_an_opaque_alpha_is_no_camera(page: Page) -> None:
    alpha = np.full_like(SCENE.thermal, 255)
    drop(page, ("shot.png", png(np.dstack([SCENE.rgb, alpha]))))
    assert page.get_by_label("Read as").input_value() == "rgb"
    expect(page.locator("#stages canvas")).to_have_count(2)


def test_two_models_side_by_side(page: Page, address: str) -> None:
    page.get_by_role("combobox", name="Compare with").select_option("nano-small")
    drop(page, *FILES)
    assert page.locator("figcaption").count() == 2
    for stage, model in enumerate(("nano", "nano-small")):
        overlay = pixels(ask(address, PAIR, model=model, format="overlay").content)
        assert np.abs(canvas(page, 0, stage).astype(int) - overlay).max() <= 1
    first, second = (
        pixels(ask(address, PAIR, model=model, format="labels").content)
        for model in ("nano", "nano-small")
    )
    agreed = f"They agree on {100 * (first == second).mean():.1f} % of the pixels."
    assert page.locator("#agreement").inner_text() == agreed
    page.get_by_role("slider", name="Border between left and right, nano-small").fill("20")
    first_slider = page.get_by_role(
        "slider", name="Border between left and right, nano", exact=True
    )
    assert first_slider.input_value() == "20"
    page.locator(".frame").first.hover(position={"x": 30, "y": 30})
    assert page.locator(".bubble:visible").count() == 2
    page.get_by_role("combobox", name="Compare with").select_option("")
    answered(page)
    expect(page.locator("figcaption")).to_have_count(1)


def test_what_is_refused_is_said_and_can_be_mended(browser: Browser, address: str) -> None:
    name = "<img src=x onerror=alert(1)>.png"
    with opened(browser, address, REFUSED) as page:
        drop(page, (name, b"no picture"))
        alert = page.get_by_role("alert")
        refused = ask(address, {"rgb": b"no picture"}).json()["error"]
        assert alert.locator("span").inner_text() == refused
        assert page.locator("#inputs dd").first.inner_text() == name
        assert page.locator("main img[src=x]").count() == 0
        assert not page.locator(".work").is_visible()
        assert told(page) == []
        choose_scene(page)
        assert not alert.is_visible()
        assert page.locator(".work").is_visible()
        drop(page, *FILES, FILES[0])
        assert alert.locator("span").inner_text().startswith("3 files; drop one RGB and one")
        drop(page, ("none.png", b""))
        assert "none.png is empty" in alert.inner_text()
        small = png(SCENE.thermal[:60])
        drop(page, FILES[0], ("small_thermal.png", small))
        expect(alert).to_contain_text("align the pair")


def test_a_busy_server_is_asked_again(browser: Browser, address: str) -> None:
    busy = {"error": "the queue is full; try again in a second", "kind": "busy"}
    with opened(browser, address, REFUSED) as page:
        tries = []

        def once(route: Route) -> None:
            tries.append(route.request.url)
            if len(tries) > 1:
                route.continue_()
                return
            headers = {"Retry-After": "1", "Content-Type": "application/json"}
            route.fulfill(status=503, headers=headers, body=json.dumps(busy))

        page.route("**/predict", once)
        page.get_by_role("button", name=TITLE).click()
        expect(page.get_by_role("status")).to_contain_text("asking again in 1 s")
        expect(page.locator("#result")).to_be_visible()
        answered(page)
        assert len(tries) == 2


def test_a_server_that_is_gone(browser: Browser, address: str) -> None:
    with opened(browser, address, "Failed to load resource: net::") as page:
        expect(page.locator(".pictures img")).to_have_count(20)
        page.route("**/predict", lambda route: route.abort())
        page.get_by_role("button", name=TITLE).click()
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text("The server does not answer; start `samantic serve` again")
        page.unroute("**/predict")
        alert.get_by_role("button", name="Try again").click()
        expect(page.locator(".work")).to_be_visible()


def test_a_token_is_asked_for_once(browser: Browser, exported: Path) -> None:
    word = "correct-horse-battery"
    with site(str(exported), token=word) as address, opened(browser, address, REFUSED) as page:
        dialog = page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        assert told(page) == []
        dialog.get_by_label("Token").fill("wrong")
        page.keyboard.press("Enter")
        expect(dialog).to_contain_text("no valid token")
        dialog.get_by_label("Token").fill(word)
        page.keyboard.press("Enter")
        expect(page.locator(".pictures img")).to_have_count(20)
        assert not dialog.is_visible()
        drop(page, *FILES)
        expect(page.locator(".work")).to_be_visible()
        assert "Bearer $TOKEN" in page.locator("#curl").inner_text()
        assert word not in page.content()
        page.reload()
        expect(dialog).to_be_visible()
        dialog.get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("alert")).to_contain_text("asks for a token")


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
    const label = e.type === "radio" ? e.name : e.getAttribute("aria-label") ?? e.labels?.[0]?.innerText;
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


def test_downloads(page: Page, address: str, tmp_path: Path) -> None:
    drop(page, *FILES)

    def saved(title: str) -> bytes:
        with page.expect_download() as download:
            page.get_by_role("button", name=title).click()
        assert download.value.suggested_filename.startswith("street_rgb-nano")
        download.value.save_as(tmp_path / "file")
        return (tmp_path / "file").read_bytes()

    assert (
        pixels(saved("Labels PNG")) == pixels(ask(address, PAIR, format="labels").content)
    ).all()
    confidence = ask(address, PAIR, format="confidence").content
    assert (pixels(saved("Confidence PNG")) == pixels(confidence)).all()
    assert (pixels(saved("Overlay PNG"))[..., :3] == canvas(page, 0)).all()
    answer = json.loads(saved("JSON"))
    assert answer["classes"] == ask(address, PAIR).json()["classes"]
    assert "images" not in answer


def test_copied_lines_make_what_is_on_the_screen(
    page: Page, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = 'it\'s a "b", c;d.png'
    Path(name).write_bytes(PAIR["rgb"])
    Path("t.png").write_bytes(PAIR["thermal"])
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    drop(page, (name, PAIR["rgb"]), ("t.png", PAIR["thermal"]))
    shown = canvas(page, 0).astype(int)
    page.get_by_role("button", name="Copy the Python lines").click()
    expect(page.get_by_role("status")).to_have_text("Copied.")
    lines = page.evaluate("navigator.clipboard.readText()")
    exec(compile(lines, "copied", "exec"), {})  # noqa: S102  # that is what the lines are for
    assert np.abs(pixels(Path("overlay.png").read_bytes()) - shown).max() <= 1
    if shutil.which("curl"):
        Path("overlay.png").unlink()
        lines = page.locator("#curl").inner_text()
        environment = {
            name: text for name, text in os.environ.items() if "proxy" not in name.lower()
        }
        subprocess.run(["sh", "-c", lines], check=True, capture_output=True, env=environment)
        assert np.abs(pixels(Path("overlay.png").read_bytes()) - shown).max() <= 1


def test_files_need_no_other_place() -> None:
    names = {path.name for path in FOLDER.iterdir()}
    for path in FOLDER.iterdir():
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "://" not in text, path.name
        assert "innerHTML" not in text, path.name
    start = (FOLDER / "index.html").read_text()
    assert " style=" not in start
    assert "<style" not in start
    for used in re.findall(r'(?:src|href)="page/([^"]+)"', start):
        assert used in names
