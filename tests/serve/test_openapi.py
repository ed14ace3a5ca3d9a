"""Whatever the description of the API allows is asked, and nothing ends in an error of the server.

It runs in this process: schemathesis sends requests to the application itself.
"""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from samantic.serve.app import create_app
from samantic.serve.settings import Settings
from tests.serve.conftest import loaded
from tests.serve.servers import HERE, pair

EXAMPLES = 25
"""Requests of each kind to each route."""

CHECKS = [
    not_a_server_error,
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
]


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.filterwarnings("default")  # of schemathesis and its dependencies
def test_no_request_ends_in_an_error_of_the_server(exported: Path, mode: GenerationMode) -> None:
    """What is as described, and what is not; each answer is one that is described."""
    named = ("testserver",)  # what schemathesis asks
    app = create_app(Settings((str(exported),), max_pixels=10_000, allowed_hosts=named))
    with TestClient(app, HERE) as client:
        loaded(client)
        schema = schemathesis.openapi.from_asgi("/openapi.json", app)
        asked = 0
        for result in schema.get_all_operations():
            operation = result.ok()
            kinds = [GenerationMode.POSITIVE] if not operation.body else [mode]

            @settings(
                max_examples=EXAMPLES,
                deadline=None,
                database=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=kinds[0]))
            def ask(case: Any) -> None:
                nonlocal asked
                asked += 1
                response = case.call()
                assert response.status_code < 500, (case.as_curl_command(), response.text)
                case.validate_response(response, checks=CHECKS)

            ask()
        assert asked > EXAMPLES
        answer = client.post("/predict", files=pair())
        assert answer.status_code == 200
        assert 'kind="internal"' not in client.get("/metrics").text


def test_the_description(client: TestClient) -> None:
    api = client.get("/openapi.json").json()
    assert set(api["paths"]) == {
        "/predict", "/models", "/scenes", "/scenes/{name}/{camera}.png", "/health", "/ready",
        "/metrics",
    }  # fmt: skip
    form = api["paths"]["/predict"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert set(form["schema"]["properties"]) == {
        "rgb", "thermal", "rgbt", "model", "format", "include", "ground", "gate",
    }  # fmt: skip
    assert "cdn" not in json.dumps(api)


def test_the_page_that_describes_the_api(client: TestClient) -> None:
    """Plain HTML that names every route, and fetches nothing."""
    page = client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    tags: set[str] = set()
    reader = HTMLParser()
    reader.handle_starttag = lambda tag, attrs: tags.add(tag)  # type: ignore[method-assign]
    reader.feed(page.text)
    assert not tags & {"script", "link", "style", "img", "iframe"}
    for path in client.get("/openapi.json").json()["paths"]:
        assert path in page.text
