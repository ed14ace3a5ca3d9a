"""What leaves the page: downloads, and lines that make what is on the screen."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from samantic.serve.page import FOLDER
from tests.serve.page.pages import (
    FILES,
    MARKS,
    PAIR,
    ask,
    canvas,
    drop,
    is_shown,
    pixels,
)

pytestmark = MARKS


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
    page.get_by_role("button", name="Copy the Python lines").click()
    expect(page.locator("#status")).to_have_text("Copied.")
    lines = page.evaluate("navigator.clipboard.readText()")
    exec(compile(lines, "copied", "exec"), {})  # noqa: S102  # that is what the lines are for
    assert is_shown(page, Path("overlay.png").read_bytes())
    if shutil.which("curl"):
        Path("overlay.png").unlink()
        lines = page.locator("#curl").inner_text()
        environment = {k: text for k, text in os.environ.items() if "proxy" not in k.lower()}
        subprocess.run(lines, shell=True, check=True, capture_output=True, env=environment)  # noqa: S602
        assert is_shown(page, Path("overlay.png").read_bytes())


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
