"""The pages' text, from an evaluation made by hand; test_report_browser.py opens them."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from samantic.display.ground import ground_of
from samantic.display.palette import display_colours
from samantic.measure.gallery import Frame
from samantic.report.pictures import (
    HATCH,
    OPACITY,
    RIGHT,
    WIDTH,
    WRONG,
    Picture,
    errors_picture,
    labels_picture,
    picture,
)
from samantic.report.run_page import row_shares, write_report
from samantic.scenes import draw_scene
from tests.report_data import CLASSES, FRAMES, INFO, evaluation_of, frame, metrics_of, write_pages


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    write_pages(folder)
    return folder


def text_of(page: str) -> str:
    """What a page says, its tags left out and blanks joined."""
    body = re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


def decoded(shown: Picture) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(shown.uri.split(",")[1])))


def test_sections_stand_in_order(pages: Path) -> None:
    page = (pages / "report.html").read_text()
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", page) == [
        "Protocols", "IoU by class, in per cent", "Beside the published",
        "Confusion of the classes", "Robustness", "Frames", "Training", "Provenance",
    ]  # fmt: skip
    assert page.count("<svg") == 5  # misalignment, disturbances, loss, mIoU, similarity


def test_numbers(pages: Path) -> None:
    metrics = metrics_of(evaluation_of(FRAMES))
    said = text_of((pages / "report.html").read_text())
    low, high = metrics["miou_interval"]
    assert (
        f"{100 * metrics['miou']:.1f} % mIoU 95 % interval {100 * low:.1f} to {100 * high:.1f}"
        in said
    )
    assert "1 frame was skipped , in no figure of this page: d4D (no thermal)." in said
    assert "all classes MFNet 50.0 40.0 to 60.0" in said
    assert "Boundary IoU 34.5 %, expected calibration error 1.2 %" in said
    car = metrics["iou"][CLASSES[1]]
    assert f"{100 * car:.1f} {50 * car:.1f} to {100 * car:.1f} {100 * car / 3:.1f}" in said
    assert "bump absent" in said
    assert "thermal missing 31.0 26.0 to 36.0" in said
    assert "cannot answer under: rgb missing; there it scores 0 in means." in said
    assert "expected, each camera failing with 5 % 44.4" in said
    assert "out: &#39;&lt;here&gt;&#39;" in said


def test_names_are_escaped(pages: Path) -> None:
    for path in pages.glob("*.html"):
        page = path.read_text()
        for raw in ("<b>car", "a <b>", "b<2>", "<i>CMX", "without <back", "'<here>"):
            assert raw not in page
    assert "&lt;b&gt;car&lt;/b&gt;" in (pages / "report.html").read_text()


def test_pages_need_no_other_file(pages: Path) -> None:
    for path in pages.glob("*.html"):
        page = path.read_text()
        sources = re.findall(r"""\b(?:src|href|data|action|poster|srcset)=["']([^"']*)""", page)
        assert all(source.startswith(("data:image/", "#")) for source in sources)
        assert not re.search(r"@import|<link|<iframe|url\((?!#)|\bfetch\(|\bimport\b", page)
        outside = re.findall(r"https?://[^\s\"'<]+", page)
        assert all(url.startswith("http://www.w3.org/") for url in outside)  # names in SVG


def test_skipped_frames_are_told_up_to_ten(tmp_path: Path) -> None:
    evaluation = evaluation_of(FRAMES)
    skipped = {f"s{i}": "broken" for i in range(12)}
    metrics = metrics_of(evaluation, skipped=skipped, boundary_iou=None)
    write_report(tmp_path, INFO, metrics, evaluation, [], {})
    said = text_of((tmp_path / "report.html").read_text())
    assert "12 frames were skipped" in said
    assert "s9 (broken) and 2 more." in said
    assert "s10" not in said
    assert "Boundary IoU not measured" in said
    assert not {"Robustness", "Training", "config.yaml"} & set(said.split())


def test_a_report_without_frames_has_no_controls(tmp_path: Path) -> None:
    evaluation = evaluation_of(FRAMES)
    evaluation.frames.clear()
    write_report(tmp_path, INFO, metrics_of(evaluation), evaluation, [], {})
    assert "<form" not in (tmp_path / "report.html").read_text()


def test_confusion_is_normalised_by_rows(pages: Path) -> None:
    assert row_shares(torch.tensor([[3, 1], [0, 0]])) == [[0.75, 0.25], None]
    said = text_of((pages / "report.html").read_text())
    assert "&lt;b&gt;car&lt;/b&gt; 50.0 50.0 0 0" in said


def test_pictures_have_the_right_colours() -> None:
    shown = frame("x", 1, wrong=True)
    truth = np.asarray(decoded(labels_picture("truth", shown, shown.truth, INFO)), int)
    ground = ground_of(shown.images["rgb"], shown.images["thermal"])
    things = np.zeros_like(shown.truth, bool)
    things[22:28, 22:38] = True  # within the outline
    colour = np.array(display_colours(CLASSES)[1])
    expected = OPACITY * colour + (1 - OPACITY) * ground[things].mean(0)
    assert np.abs(truth[things].mean(0) - expected).max() < 6  # it is a JPEG
    clear = np.zeros_like(things)
    clear[2:18] = True
    assert np.abs(truth[clear].mean(0) - ground[clear].mean(0)).max() < 6
    assert truth[0].min() < 20
    assert truth[0].max() > 90, "stripes where nothing is labelled"
    errors = np.asarray(decoded(errors_picture("errors", shown)).convert("RGB"))
    assert tuple(errors[25, 30]) == WRONG
    assert tuple(errors[40, 5]) == RIGHT
    assert {tuple(colour) for colour in errors[0].tolist()} == set(HATCH)


def test_pictures_shrink_to_one_size() -> None:
    wide = np.zeros((300, 2 * WIDTH), np.uint8)
    whole = Frame("x", {"rgb": np.stack([wide] * 3, axis=2), "thermal": wide}, wide, wide, 1.0)
    for shown in (picture("thermal", wide), labels_picture("truth", whole, wide, INFO)):
        assert decoded(shown).size == (shown.width, shown.height) == (WIDTH, 150)
    assert decoded(picture("RGB", np.zeros((48, 64, 3), np.uint8))).size == (64, 48)


def test_forty_frames_stay_below_15_megabytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    scenes = [draw_scene(5, index) for index in range(4)]
    frames = []
    for index in range(40):  # noise of a camera, and a prediction with ragged edges
        scene = scenes[index % len(scenes)]
        rgb = np.clip(scene.rgb + rng.normal(0, 8, scene.rgb.shape), 0, 255).astype(np.uint8)
        thermal = np.clip(scene.thermal + rng.normal(0, 4, scene.thermal.shape), 0, 255)
        labels = np.minimum(scene.labels, 3)
        ragged = np.roll(labels, rng.integers(1, 4), axis=1)
        ragged[::7, :: index + 2] = 1
        frames.append(
            Frame(
                f"{index}D", {"rgb": rgb, "thermal": thermal.astype(np.uint8)}, labels, ragged, 0.5
            )
        )
    evaluation = evaluation_of(frames)
    write_report(tmp_path, INFO, metrics_of(evaluation), evaluation, [], {})
    size = (tmp_path / "report.html").stat().st_size
    print(f"{size / 1e6:.1f} MB")
    assert size < 15e6
