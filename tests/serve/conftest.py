"""A server for tests that only ask it, and the application in this process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from samantic.serve.app import create_app
from samantic.serve.settings import Settings
from tests.serve.servers import HERE, Running, running


@pytest.fixture(scope="session")
def server(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of an exported file that gives senders 0.7 seconds."""
    folder = tmp_path_factory.mktemp("serve") / "tmp"
    with running(folder, str(exported), max_pixels=10_000, max_bytes=1 << 19, stall=0.7) as found:
        yield found


@pytest.fixture(scope="module")
def client(exported: Path) -> Iterator[TestClient]:
    """The application with an exported file, loaded."""
    settings = Settings((str(exported),), max_pixels=10_000)
    with TestClient(create_app(settings), HERE, raise_server_exceptions=False) as found:
        loaded(found)
        yield found


def loaded(client: TestClient) -> None:
    while client.get("/ready").status_code != 200:
        time.sleep(0.02)
