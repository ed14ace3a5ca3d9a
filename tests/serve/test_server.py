"""The process: its start, its end, and what guards it."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from samantic.cli import main
from samantic.serve import server as module
from samantic.serve.models import short_names
from tests.serve.servers import pair, running

WITHOUT_TORCH = """
import sys
from starlette.testclient import TestClient
from samantic.serve.app import create_app
from samantic.serve.settings import Settings
from samantic.serve import server
import samantic.cli.serve, time
with TestClient(create_app(Settings(({path!r},))), "http://localhost") as client:
    while client.get("/ready").status_code != 200:
        time.sleep(0.01)
    files = {{name: client.get(f"/scenes/night-street/{{name}}.png").content
             for name in ("rgb", "thermal")}}
    include = "labels,confidence,overlay,rgb,thermal,ground"
    answer = client.post("/predict", files=files, data={{"include": include}})
    assert answer.status_code == 200, answer.text
    assert client.get("/models").status_code == 200
heavy = {{"torch", "transformers", "lightning"}} & set(sys.modules)
assert not heavy, heavy
"""


def test_an_exported_file_is_served_without_torch(exported: Path) -> None:
    code = WITHOUT_TORCH.format(path=str(exported))
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_what_was_accepted_is_answered(
    exported: Path, tmp_path: Path, kind: signal.Signals
) -> None:
    """Under load, a signal ends the process with 0 and loses no request that it had taken."""
    with running(tmp_path / "tmp", str(exported)) as server:
        stop = threading.Event()
        statuses: list[int] = []

        def ask() -> None:
            files = pair()
            with httpx.Client(timeout=20) as client:
                while not stop.is_set():
                    try:
                        statuses.append(
                            client.post(f"{server.url}/predict", files=files).status_code
                        )
                    except httpx.TransportError:  # it listens no more
                        return

        with ThreadPoolExecutor(8) as pool:
            work = [pool.submit(ask) for _ in range(8)]
            while len(statuses) < 30:
                time.sleep(0.01)
            server.process.send_signal(kind)
            code, out, err = server.ended()
            stop.set()
            for one in work:
                one.result()
        assert (code, err) == (0, "")
        assert set(statuses) <= {200, 503}
        told = re.search(r"ended: (\d+) requests answered", out)
        assert told is not None
        assert int(told[1]) == len(statuses) + server.polls
        assert server.left() == []


def test_an_upload_on_its_way_is_finished(exported: Path, tmp_path: Path) -> None:
    """The signal comes between the two halves of a request."""
    with running(tmp_path / "tmp", str(exported)) as server:
        request = httpx.Request("POST", f"{server.url}/predict", files=pair())
        body = request.read()
        head = [f"{name}: {text}" for name, text in request.headers.items()]
        raw = "\r\n".join(["POST /predict HTTP/1.1", *head, "", ""]).encode() + body
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(raw[:-500])
            time.sleep(0.3)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            connection.sendall(raw[-500:])
            answer = connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200")
        assert server.ended()[0] == 0


def test_a_token(exported: Path, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("a-secret-word-of-length\n")
    with running(tmp_path / "tmp", str(exported), "--token-file", str(file)) as server:
        for place in ("/models", "/scenes", "/scenes/night-street/rgb.png", "/metrics"):
            for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Bearer"}):
                answer = httpx.get(server.url + place, headers=headers)
                assert (answer.status_code, answer.json()["kind"]) == (401, "token")
                assert answer.headers["www-authenticate"] == "Bearer"
        assert httpx.post(f"{server.url}/predict", files=pair()).status_code == 401
        for place in ("/", "/health", "/ready", "/docs", "/openapi.json"):
            assert httpx.get(server.url + place).status_code == 200
        shown = {"Authorization": "Bearer a-secret-word-of-length"}
        assert httpx.get(f"{server.url}/models", headers=shown).status_code == 200
        answer = httpx.post(f"{server.url}/predict", files=pair(), headers=shown)
        assert answer.status_code == 200


def test_headers_of_all_answers(client: httpx.Client) -> None:
    for place in ("/", "/health", "/docs", "/nothing", "/models"):
        headers = client.get(place).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'self'; img-src 'self' blob: data:; style-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "server" not in headers
    assert client.get("/").headers["cache-control"] == "no-cache"
    assert client.get("/models").headers["cache-control"] == "no-store"
    for page in ("/", "/docs"):
        text = client.get(page).text
        assert "http://" not in text
        assert "https://" not in text


def test_files_of_the_page(client: httpx.Client) -> None:
    answer = client.get("/page/index.html")
    assert answer.headers["content-type"].startswith("text/html")
    for name in ("../app.py", "%2e%2e/app.py", "/etc/passwd", "", "x", "..%2fapp.py"):
        found = client.get(f"/page/{name}")
        assert (found.status_code, found.json()["kind"]) == (404, "missing")


def test_names_of_models() -> None:
    names = ["nano", "runs/a/model", "runs/b", "x/nano.onnx", "y/nano", "owner/name"]
    assert short_names(names) == ["nano", "a", "b", "nano.onnx", "nano-2", "name"]


def bad_words(tmp_path: Path) -> dict[str, tuple[list[str], str]]:
    short, taken = tmp_path / "short", socket.create_server(("127.0.0.1", 0))
    short.write_text("short")
    port = str(taken.getsockname()[1])
    threading.Thread(target=lambda: (time.sleep(5), taken.close()), daemon=True).start()
    return {
        "model": (["no/model"], "no model here; give a run folder"),
        "file": (["no.onnx"], "no.onnx: no such file"),
        "token": (["nano", "--token-file", str(short)], "must hold one word of 16 or more"),
        "no token": (["nano", "--token-file", "no"], "no: no such file with a token"),
        "port": (["nano", "--port", port], "cannot listen there (Address already in use)"),
        "host": (["nano", "--host", "203.0.113.7"], "cannot listen there"),
        "option": (["no.onnx", "--device", "cuda"], "no.onnx: an exported file has its own device"),
    }


@pytest.mark.parametrize("name", ["model", "file", "token", "no token", "port", "host", "option"])
def test_bad_words(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, line = bad_words(tmp_path)[name]
    assert main(["serve", *words, *([] if "--port" in words else ["--port", "0"])]) == 2
    told = capsys.readouterr().err
    assert line in told
    assert told.count("\n") == 1


def test_a_package_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from samantic.cli import serve

    monkeypatch.setattr(serve, "find_spec", lambda name: None if name == "uvicorn" else 1)
    assert main(["serve", "nano"]) == 2
    told = capsys.readouterr().err
    assert told == "samantic: serve: needs uvicorn; pip install 'samantic[serve]'\n"


def test_an_open_address_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from samantic.serve.settings import Settings

    monkeypatch.setattr(module._Server, "run", lambda self, sockets: None)
    module.serve(Settings(("nano",), host="0.0.0.0", port=0))  # noqa: S104
    assert "--token-file requires a token" in capsys.readouterr().err
    module.serve(Settings(("nano",), port=0))
    assert capsys.readouterr().err == ""
