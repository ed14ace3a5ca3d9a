"""Files into the page: which camera took them, one camera alone, and what is refused."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from tests.radiometric import dji, flir, jpeg
from tests.serve.page.pages import (
    FILES,
    MARKS,
    PAIR,
    REFUSED,
    SCENE,
    TITLE,
    answered,
    ask,
    canvas,
    choose_scene,
    drop,
    is_shown,
    legend,
    opened,
    site,
    told,
)
from tests.serve.servers import png

pytestmark = MARKS


def test_dropped_files_find_their_cameras_and_can_be_swapped(
    browser: Browser, address: str
) -> None:
    with opened(browser, address, REFUSED) as page:
        drop(page, ("b.png", PAIR["thermal"]), ("a.png", PAIR["rgb"]))
        names, swap = page.locator("#inputs dd"), page.get_by_role("button", name="Swap RGB and")
        assert names.all_inner_texts() == ["a.png", "b.png"]
        before = legend(page)
        swap.click()
        expect(page.get_by_role("alert")).to_contain_text("thermal: ")
        assert names.all_inner_texts() == ["b.png", "a.png"]
        assert not page.locator(".work").is_visible()
        swap.click()
        expect(page.locator(".work")).to_be_visible()
        assert names.all_inner_texts() == ["a.png", "b.png"]
        assert legend(page) == before


@pytest.mark.parametrize(
    ("rgb", "thermal"), [("x_vis.png", "x_ir.png"), ("FLIR-1-visible.png", "FLIR-1.png")]
)
def test_names_tell_the_cameras_of_pictures_alike(page: Page, rgb: str, thermal: str) -> None:
    gray = png(np.dstack(3 * [SCENE.thermal]))
    drop(page, (thermal, gray), (rgb, gray))
    assert page.locator("#inputs dd").all_inner_texts() == [rgb, thermal]


def tiff(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "TIFF")
    return file.getvalue()


COUNTS = (300 + 10 * SCENE.thermal.astype(np.uint16))[:60, :80]


@pytest.mark.parametrize(
    ("content", "camera"),
    [
        (flir(COUNTS), "thermal"),
        (dji(COUNTS, (60, 80)), "thermal"),
        (jpeg((60, 80)), "rgb"),
        (png(COUNTS), "thermal"),
        (tiff(COUNTS), "thermal"),
        (tiff(SCENE.rgb), "rgb"),
        (tiff(np.dstack([SCENE.rgb, SCENE.thermal])), "rgbt"),
    ],
    ids=["flir", "dji", "jpeg", "png16", "tiff16", "tiff", "tiff4"],
)
def test_what_a_file_holds_tells_its_camera(
    browser: Browser, address: str, content: bytes, camera: str
) -> None:
    with opened(browser, address, REFUSED) as page:  # nano refuses counts
        drop(page, ("file", content))
        assert page.get_by_label("Read as").input_value() == camera


def test_one_camera_alone(page: Page, address: str) -> None:
    drop(page, ("lonely_ir.png", PAIR["thermal"]))
    assert page.get_by_role("group", name="Left").get_by_role("radio", name="RGB").is_disabled()
    assert page.locator("#inputs dd").all_inner_texts() == ["Add an RGB picture", "lonely_ir.png"]
    assert is_shown(page, ask(address, {"thermal": PAIR["thermal"]}, format="overlay").content)
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
    assert is_shown(page, ask(address, {"thermal": PAIR["thermal"]}, format="overlay").content)
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
    assert is_shown(page, ask(address, PAIR, format="overlay").content)
    other = {"rgb": "Thermal", "thermal": "RGB"}[camera]
    page.get_by_role("switch", name=other).uncheck()
    answered(page)
    assert is_shown(page, ask(address, {camera: PAIR[camera]}, format="overlay").content)


def test_an_opaque_alpha_is_no_camera(page: Page) -> None:
    alpha = np.full_like(SCENE.thermal, 255)
    drop(page, ("shot.png", png(np.dstack([SCENE.rgb, alpha]))))
    assert page.get_by_label("Read as").input_value() == "rgb"
    expect(page.locator("#stages canvas")).to_have_count(2)


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
        expect(page.locator("#status")).to_contain_text("asking again in 1 s")
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


def test_a_token_is_asked_for_once(browser: Browser) -> None:
    word = "correct-horse-battery"
    with site("nano-small", token=word) as address, opened(browser, address, REFUSED) as page:
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
