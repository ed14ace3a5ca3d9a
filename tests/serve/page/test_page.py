"""The page in a browser: what the models make of a pair, and every way to look at it."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from samantic.serve import scenes
from tests.serve.page.pages import (
    FILES,
    MARKS,
    PAIR,
    SCENE,
    SIZE,
    Truth,
    answered,
    ask,
    canvas,
    choose_scene,
    drop,
    is_shown,
    legend,
    pixels,
)

pytestmark = MARKS


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
        percent = 100 * share
        assert found[name] == "< 0.1 %" or abs(float(found[name][:-2]) - percent) < 0.051
    assert is_shown(page, ask(address, files, model="nano", format="overlay").content)
    assert (canvas(page, 1) == pixels(files["rgb"])).all()
    assert "nano took" in page.locator("#status").inner_text()


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
    assert page.locator(".tag").all_inner_texts() == ["Thermal", "Confidence, 0 to 100 %"]


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


def test_pixels_by_mouse_and_keys(page: Page, truth: Truth) -> None:
    drop(page, *FILES)
    readout, bubble = page.locator("#readout"), page.locator(".bubble")
    box = page.locator(".frame").bounding_box()
    assert box is not None
    x, y = 0, 0
    for label in np.unique(truth.labels):
        found = np.argwhere(truth.labels == label)
        y, x = (int(part) for part in found[len(found) // 2])
        across, down = (x + 0.5) / SIZE[1], (y + 0.5) / SIZE[0]
        page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])
        assert bubble.inner_text() == truth.at(x, y)
        assert readout.text_content() == f"x {x}, y {y}{truth.at(x, y)}"
    assert page.locator("#spoken").text_content() == ""
    page.locator(".probe").focus()
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("ArrowUp")
    x, y = max(0, x - 10), max(0, y - 1)
    assert page.locator("#spoken").text_content() == f"x {x}, y {y}, {truth.at(x, y)}"
    page.mouse.move(5, 5)
    assert not bubble.is_visible()


def test_two_models_side_by_side(page: Page, address: str) -> None:
    page.get_by_role("combobox", name="Compare with").select_option("nano-small")
    drop(page, *FILES)
    assert page.locator("figcaption").count() == 2
    for stage, model in enumerate(("nano", "nano-small")):
        assert is_shown(page, ask(address, PAIR, model=model, format="overlay").content, stage)
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
