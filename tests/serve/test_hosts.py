"""Pages of other sites get no answer: neither by a name that leads here, nor by a form."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from samantic.cli import main
from samantic.serve.app import create_app
from samantic.serve.hosts import parse_hosts
from samantic.serve.settings import Settings
from tests.serve.conftest import loaded
from tests.serve.servers import HERE, pair

NAMED = "thermal.example.org"


@pytest.fixture(scope="module")
def named(exported: Path) -> Iterator[TestClient]:
    """A server that a proxy of a name of its own stands before."""
    settings = Settings((str(exported),), allowed_hosts=parse_hosts([NAMED.upper()]))
    with TestClient(create_app(settings), HERE) as found:
        loaded(found)
        yield found


@pytest.mark.parametrize(
    "host",
    ["localhost:8000", "127.0.0.1:8000", "192.168.1.7", "[::1]:8000", socket.gethostname(), NAMED],
)
def test_names_of_the_server(named: TestClient, host: str) -> None:
    assert named.get("/models", headers={"Host": host}).status_code == 200
    for scheme in ("http", "https"):
        headers = {"Host": host, "Origin": f"{scheme}://{host}"}
        assert named.post("/predict", files=pair(), headers=headers).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "[::1", "", "a@b"]
)
@pytest.mark.parametrize("path", ["/", "/health", "/models", "/predict/", "/nothing"])
def test_a_name_that_leads_here(named: TestClient, host: str, path: str) -> None:
    answer = named.get(path, headers={"Host": host})
    assert answer.status_code == 403
    assert answer.json()["kind"] == "host"
    assert "start it with --allow-host NAME" in answer.json()["error"]
    assert "evil" not in answer.text


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "http://localhost:9999", "http://66.6.6.6", "null", "", "http://[::1"],
)
def test_a_form_of_another_site(named: TestClient, origin: str) -> None:
    headers = {"Host": "localhost:8000", "Origin": origin}
    answer = named.post("/predict", files=pair(), headers=headers)
    assert answer.status_code == 403
    assert "another site" in answer.json()["error"]
    assert 'samantic_errors_total{kind="host"}' in named.get("/metrics").text


def test_a_proxy_that_asks_by_number(named: TestClient) -> None:
    headers = {"Host": "127.0.0.1:8000", "Origin": f"https://{NAMED}"}
    assert named.post("/predict", files=pair(), headers=headers).status_code == 200


@pytest.mark.parametrize("name", ["http://a.example", "a.example:80", "a b", "*", ""])
def test_a_name_that_is_none(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "nano", "--allow-host", name]) == 2
    line = f"--allow-host: {name!r} is no name of a host; give it without scheme, port and path"
    assert line in capsys.readouterr().err
