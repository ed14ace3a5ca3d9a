"""What docs/serve.md says is so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from samantic.files import MIB
from samantic.serve.connections import MOST
from samantic.serve.limits import RATE
from samantic.serve.refusals import STATUS, Kind
from samantic.serve.settings import Settings
from samantic.serve.uploads import FIELDS, FILES
from tests.serve.servers import Running, pair

TEXT = (Path(__file__).parents[2] / "docs" / "serve.md").read_text()


def section(title: str) -> str:
    return TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(part: str) -> list[list[str]]:
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_program_runs(server: Running, tmp_path: Path) -> None:
    for name, content in pair().items():
        (tmp_path / f"{name}.png").write_bytes(content)
    code = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)[0]
    code = code.replace("http://127.0.0.1:8000", server.url)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert done.stdout.startswith("unlabelled ")


@pytest.mark.parametrize("number", range(3))
def test_the_lines_for_a_shell_run(server: Running, tmp_path: Path, number: int) -> None:
    """Of those that need no token; the server of the tests has one model alone."""
    for name, content in pair().items():
        (tmp_path / f"{name}.png").write_bytes(content)
    (tmp_path / "thermal.tiff").write_bytes(pair()["thermal"])
    block = re.findall(r"^```console\n(.*?)^```$", section("Ask"), re.MULTILINE | re.DOTALL)[0]
    lines = block.replace("\\\n ", "").replace("http://127.0.0.1:8000", server.url).splitlines()
    words = [*lines[number].split()[:1], "--fail", "--silent", *lines[number].split()[1:]]
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)


def test_tables(client: TestClient) -> None:
    named = {row[0].strip("`") for row in rows(section("Metrics"))[2:]}
    families = text_string_to_metric_families(client.get("/metrics").text)
    there = {f.name + ("_total" if f.type == "counter" else "") for f in families}
    assert named == {name for name in there if not name.endswith("_created")}
    parts, kinds = (
        part for part in section("The API").split("\n\n") if part.startswith(("| part", "| kind"))
    )
    assert set(re.findall(r"`(\w+)`", " ".join(row[0] for row in rows(parts)))) == {*FILES, *FIELDS}
    told = {row[0].strip("`"): row[1] for row in rows(kinds)[2:]}
    assert set(told) == set(get_args(Kind))
    for kind, status in STATUS.items():
        assert str(status) in told[kind]


def test_limits() -> None:
    usual, text = Settings(()), section("Limits")
    for line in (
        f"`--max-mib` | {usual.max_bytes // MIB} MiB",
        f"`--max-pixels` | {usual.max_pixels} ",
        f"from the first byte to the answer | {usual.queue} ",
        f"`--timeout` | {usual.timeout:g} ",
        f"a sender's delay behind {RATE // 1024} KiB a second | {usual.stall:g} s",
        f"| connections | {MOST} ",
    ):
        assert line in text
