"""What the API takes and answers."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco
from starlette.testclient import TestClient

import samantic
from samantic.display.palette import display_colours
from samantic.predict.health import STATES
from samantic.serve.app import create_app
from samantic.serve.schemas import State
from samantic.serve.settings import Settings
from tests.radiometric import flir
from tests.serve.conftest import loaded
from tests.serve.servers import HERE, SIZE, opened, pair, png


def ask(client: TestClient, files: dict[str, bytes], headers: Any = None, **fields: str) -> Any:
    return client.post("/predict", files=files, data=fields, headers=headers)


def image(answer: dict[str, Any], name: str) -> Image.Image:
    head, _, text = answer["images"][name].partition(",")
    assert head == "data:image/png;base64"
    return opened(base64.b64decode(text))


def test_json(client: TestClient, exported: Path) -> None:
    """The answer is that of the model asked from Python."""
    files = pair()
    expected = samantic.load(exported).predict(opened(files["rgb"]), opened(files["thermal"]))
    answer = ask(client, files, include="labels,confidence,overlay,rgb,thermal,ground").json()
    assert (answer["model"], answer["size"]) == ("nano.onnx", [48, 64])
    assert answer["cameras"] == {"rgb": "present", "thermal": "present"}
    assert answer["seconds"] > 0
    assert {one["id"] for one in answer["classes"]} == set(np.unique(expected.labels))
    for one in answer["classes"]:
        there = expected.labels == one["id"]
        assert one["name"] == expected.classes[one["id"]]
        assert (coco.decode(one["segmentation"]) == there).all()
        assert one["pixels"] == there.sum()
        assert one["share"] == pytest.approx(there.mean())
        assert one["confidence"] == pytest.approx(expected.confidence[there].mean(), abs=1e-5)
    labels = image(answer, "labels")
    assert labels.mode == "L"
    assert (np.asarray(labels) == expected.labels).all()
    confidence = np.asarray(image(answer, "confidence"))
    assert np.abs(confidence / 255 - expected.confidence).max() < 0.01
    assert (np.asarray(image(answer, "overlay")) == np.asarray(expected.overlay())).all()
    assert (np.asarray(image(answer, "rgb")) == np.asarray(opened(files["rgb"]))).all()
    for name in ("thermal", "ground"):
        assert (image(answer, name).mode, image(answer, name).size) == ("RGB", (64, 48))


def test_pictures(client: TestClient, exported: Path) -> None:
    files = pair(1)
    expected = samantic.load(exported).predict(opened(files["rgb"]), opened(files["thermal"]))
    for asked in ({"format": "labels"}, {"headers": {"Accept": "image/png"}}):
        labels = opened(ask(client, files, **asked).content)  # type: ignore[arg-type]
        assert labels.mode == "P"
        assert (np.asarray(labels) == expected.labels).all()
    drawn = opened(ask(client, files, format="overlay", ground="thermal").content)
    assert (np.asarray(drawn) == np.asarray(expected.overlay(ground="thermal"))).all()
    answer = ask(client, files, format="confidence", headers={"Accept": "application/json"})
    assert opened(answer.content).mode == "L"
    assert answer.headers["content-type"] == "image/png"


def test_one_camera(client: TestClient, exported: Path) -> None:
    model = samantic.load(exported)
    for name, other in (("rgb", "thermal"), ("thermal", "RGB")):
        files = {name: pair()[name]}
        answer = ask(client, files, include="labels").json()
        expected = model.predict(**{name: opened(files[name])})  # type: ignore[arg-type]
        assert (np.asarray(image(answer, "labels")) == expected.labels).all()
        assert answer["cameras"][name] == "present"
        assert sorted(answer["cameras"].values()) == ["missing", "present"]
        assert f"{other} is missing; the labels are made without it" in answer["notes"]


def kinds_of_pairs() -> dict[str, dict[str, bytes]]:
    files = pair()
    rgb, thermal = (np.asarray(opened(files[name])) for name in ("rgb", "thermal"))
    return {
        "TIFF": {"rgb": png(rgb, "TIFF"), "thermal": png(thermal, "TIFF")},
        "rgbt": {"rgbt": png(np.dstack([rgb, thermal]))},
        "palette": {"rgb": files["rgb"], "thermal": png(np.dstack([thermal] * 3))},
    }


@pytest.mark.parametrize("kind", ["TIFF", "rgbt", "palette"])
def test_kinds_of_files(client: TestClient, kind: str) -> None:
    """However a pair is stored, its labels are the same."""
    usual = opened(ask(client, pair(), format="labels").content)
    found = opened(ask(client, kinds_of_pairs()[kind], format="labels").content)
    assert (np.asarray(found) == np.asarray(usual)).all()
    jpeg = {"rgb": png(np.asarray(opened(pair()["rgb"])), "JPEG", quality=95)}
    assert ask(client, jpeg).status_code == 200


@pytest.fixture(scope="module")
def deep(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The application with a model that scales thermal images of any depth by their own range."""
    settings = Settings((str(trained),), options={"thermal_scaling": "frame", "device": "cpu"})
    with TestClient(create_app(settings), HERE, raise_server_exceptions=False) as found:
        loaded(found)
        yield found


def test_deep_thermal_images(deep: TestClient, client: TestClient, trained: Path) -> None:
    """Counts of 16 bits, and those in a radiometric JPEG, are read as `predict` reads them."""
    counts = 27000 + 20 * np.asarray(opened(pair()["thermal"])).astype(np.uint16)
    model = samantic.load(trained, "cpu", thermal_scaling="frame")
    rgb = opened(pair()["rgb"])
    expected = model.predict(rgb, counts).labels
    radiometric = flir(counts)
    for thermal in (png(counts), png(counts, "TIFF"), radiometric):
        answer = ask(deep, {"rgb": pair()["rgb"], "thermal": thermal}, format="labels")
        assert (np.asarray(opened(answer.content)) == expected).all()
    refused = ask(client, {"thermal": png(counts)})
    assert (refused.status_code, refused.json()["kind"]) == (400, "unreadable")
    assert "uint16" in refused.json()["error"]


def test_models(client: TestClient, deep: TestClient, exported: Path, trained: Path) -> None:
    for app, path in ((client, exported), (deep, trained)):
        told = app.get("/models").json()
        (one,) = told["models"]
        model = samantic.load(path)
        assert told["default"] == one["name"] == ("nano.onnx" if app is client else "tiny")
        assert one["cameras"] == ["rgb", "thermal"]
        assert one["fingerprint"] == model.fingerprint
        assert one["size"] == ([48, 64] if app is client else None)
        assert one["parameters"] > 1000
        assert 0 <= one["miou"] <= 1
        colours = ["#{:02x}{:02x}{:02x}".format(*c) for c in display_colours(model.classes)]
        assert [c["color"] for c in one["classes"]] == colours
        assert [c["id"] for c in one["classes"]] == list(range(len(model.classes)))


def test_scenes(client: TestClient) -> None:
    scenes = client.get("/scenes").json()
    assert len(scenes) == 10
    name = scenes[-1]["name"]
    sizes = set()
    for camera, mode in (("rgb", "RGB"), ("thermal", "L")):
        picture = opened(client.get(f"/scenes/{name}/{camera}.png").content)
        assert picture.mode == mode
        sizes.add(picture.size)
    assert sizes == {(640, 480)}
    for place in (f"/scenes/{name}/depth.png", "/scenes/x/rgb.png", "/scenes/../x"):
        assert client.get(place).status_code == 404


REFUSED: list[tuple[dict[str, bytes], dict[str, str], int, str, str]] = [
    ({}, {"format": "json"}, 400, "missing", "no image; send the files rgb and/or thermal"),
    ({"rgb": b""}, {}, 400, "unreadable", "rgb: not a readable image"),
    ({"rgb": b"hello"}, {}, 400, "unreadable", "rgb: not a readable image"),
    ({"depth": b"x"}, {}, 400, "unreadable", "a file of an unknown name; give rgb, thermal, rgbt"),
    (pair(), {"model": "<b>"}, 404, "model", "no such model; there is nano.onnx"),
    (pair(), {"format": "gif"}, 400, "unreadable", "format: give one of json, labels, overlay"),
    (pair(), {"include": "x"}, 400, "unreadable", "include: give some of labels,"),
    (pair(), {"ground": "sky"}, 400, "unreadable", "ground: give one of auto, rgb"),
    (pair(), {"wish": "1"}, 400, "unreadable", "a field of an unknown name; give model, format"),
    (pair() | {"rgbt": b"x"}, {}, 400, "unreadable", "rgbt: holds both cameras; send it alone"),
    ({"rgb": pair(0, (48, 96))["rgb"], "thermal": pair()["thermal"]}, {}, 422, "size",
     "thermal: 64x48 pixels, but rgb has 96x48; align the pair"),
    (pair(0, (32, 32)), {}, 422, "size", "32x32 pixels, but nano.onnx takes 64x48"),
    ({"rgb": png(np.zeros((4, 4, 3), np.uint8))}, {}, 422, "size", "nothing smaller than 16x16"),
    ({"rgb": png(np.zeros((101, 100, 3), np.uint8))}, {}, 413, "too_large",
     "rgb: 100x101 pixels; send 10000 at most"),
    ({"rgb": pair()["rgb"]}, {"format": "overlay", "ground": "thermal"}, 400, "missing",
     "thermal needs the thermal image"),
]  # fmt: skip


@pytest.mark.parametrize(("files", "fields", "status", "kind", "line"), REFUSED)
def test_refusals(
    client: TestClient,
    files: dict[str, bytes],
    fields: dict[str, str],
    status: int,
    kind: str,
    line: str,
) -> None:
    parts: dict[str, Any] = dict(files) or {"model": (None, "")}
    answer = client.post("/predict", files=parts, data=fields)
    found = answer.json()
    assert (answer.status_code, found["kind"]) == (status, kind)
    assert line in found["error"]
    assert "\n" not in found["error"]
    assert "/tmp" not in found["error"]  # noqa: S108
    assert "<b>" not in found["error"]


def test_forms_that_are_none(client: TestClient) -> None:
    answer = client.post("/predict", json={"rgb": "x"})
    assert (answer.status_code, answer.json()["kind"]) == (415, "unreadable")
    twice = [("rgb", ("a.png", pair()["rgb"])), ("rgb", ("b.png", pair()["rgb"]))]
    answer = client.post("/predict", files=twice)
    assert answer.json()["error"] == "rgb: given twice; give it once"
    text = client.post("/predict", files={"rgb": (None, "x")})
    assert text.json()["kind"] == "unreadable"


def test_a_file_that_was_not_chosen(client: TestClient) -> None:
    """A browser sends an empty part without a name."""
    boundary = "x"
    empty = 'Content-Disposition: form-data; name="thermal"; filename=""\r\n\r\n\r\n'
    given = 'Content-Disposition: form-data; name="rgb"; filename="a.png"\r\n\r\n'
    body = f"--x\r\n{empty}--x\r\n{given}".encode() + pair()["rgb"] + b"\r\n--x--\r\n"
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    answer = client.post("/predict", content=body, headers=headers)
    assert answer.json()["cameras"] == {"rgb": "present", "thermal": "missing"}


def test_two_models(exported: Path, trained: Path) -> None:
    settings = Settings((str(trained), str(exported), str(exported)), options={"device": "cpu"})
    with TestClient(create_app(settings), HERE) as client:
        loaded(client)
        told = client.get("/models").json()
        assert told["default"] == "tiny"
        assert [one["name"] for one in told["models"]] == ["tiny", "nano.onnx", "nano.onnx-2"]
        assert ask(client, pair()).json()["model"] == "tiny"
        assert ask(client, pair(), model="nano.onnx-2").json()["model"] == "nano.onnx-2"


def test_state_and_metrics(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/ready").json() == {"status": "ok"}
    ask(client, {"rgb": pair()["rgb"]})
    ask(client, {"rgb": b"x"})
    text = client.get("/metrics").text
    for line in (
        'samantic_requests_total{method="POST",path="/predict",status="200"}',
        'samantic_errors_total{kind="unreadable"}',
        'samantic_cameras_total{camera="thermal",state="missing"}',
        "samantic_ready 1.0",
        "samantic_queue_pairs 0.0",
        *(f"samantic_{name}_seconds_count" for name in ("decode", "queue", "network", "encode")),
        'samantic_request_seconds_bucket{le="0.001",path="/predict"}',
    ):
        assert line in text
    client.get("/nothing/<b>")
    assert "nothing" not in client.get("/metrics").text


@pytest.mark.parametrize("place", ["/", "/health", "/ready", "/models", "/page/page.css"])
def test_monitors_may_ask_for_the_head_alone(client: TestClient, place: str) -> None:
    whole, head = client.get(place), client.head(place)
    assert head.status_code == whole.status_code == 200
    assert head.headers["content-type"] == whole.headers["content-type"]
    assert not head.content
    assert client.head("/nothing").status_code == 404
    assert client.head("/predict").status_code == 405


def test_cameras_that_are_sick(client: TestClient) -> None:
    """The images are tested where that is asked for, and a sick camera is as good as missing."""
    good, black = pair(), png(np.zeros((*SIZE, 3), np.uint8))
    flat = png(np.full(SIZE, 77, np.uint8))
    for files, states in (
        (good, {"rgb": "ok", "thermal": "ok"}),
        ({"rgb": good["rgb"]}, {"rgb": "ok", "thermal": "missing"}),
        (good | {"rgb": black}, {"rgb": "black", "thermal": "ok"}),
        (good | {"thermal": flat}, {"rgb": "ok", "thermal": "shutter"}),
    ):
        found = ask(client, files, gate="on").json()
        assert found["cameras"] == states
        lone = {name: files[name] for name, state in states.items() if state == "ok"}
        assert found["classes"] == ask(client, lone).json()["classes"]
    assert found["notes"][0] == "thermal is shutter; the labels are made without it"
    line = 'samantic_cameras_total{camera="thermal",state="shutter"} 1.0'
    assert line in client.get("/metrics").text
    usual = ask(client, good | {"rgb": black}, gate="off").json()
    assert usual["cameras"] == {"rgb": "present", "thermal": "present"}


def test_no_camera_is_well(client: TestClient) -> None:
    answer = ask(client, {"rgb": png(np.zeros((*SIZE, 3), np.uint8))}, gate="on")
    assert answer.status_code == 400
    assert answer.json() == {
        "error": "no camera works: rgb black, thermal missing; send others, or leave out gate",
        "kind": "missing",
    }


def test_states_are_those_of_streams() -> None:
    assert set(get_args(State)) - {"present"} < set(STATES)


def test_text_where_a_file_is_due(client: TestClient) -> None:
    """What `curl -F rgb=rgb.png` sends, without the @."""
    answer = client.post("/predict", data={"rgb": "rgb.png"}, files={"x": b""})
    assert answer.status_code == 400
    line = "rgb: text, not a file; send a file, with curl as -F rgb=@rgb.png"
    assert answer.json()["error"] == line


def test_a_picture_too_narrow_for_a_network() -> None:
    settings = Settings(("nano-small",), options={"device": "cpu"})
    with TestClient(create_app(settings), HERE) as client:
        loaded(client)
        answer = ask(client, {"rgb": png(np.zeros((16, 64, 3), np.uint8))})
    assert "at least 32x32 pixels" in answer.json()["error"]
    assert (answer.status_code, answer.json()["kind"]) == (422, "size")
