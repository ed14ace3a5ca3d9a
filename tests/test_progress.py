"""A bar on a terminal, lines elsewhere."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from samantic import progress as module
from samantic.progress import open_progress, progress

ROOT = Path(__file__).parents[1]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that a test moves."""
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_a_file_gets_one_line_a_minute(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in progress(range(50), "look at train", "pair", delay=1, leave=False):
        clock[0] += 10
    lines = capsys.readouterr().err.split("\n")
    assert len(lines) == 8 + 1 + 1  # one a minute of 500 s, and one at the end
    assert lines[0].startswith("look at train:  12%")
    assert "6/50" in lines[0]
    assert "[01:00<07:20, " in lines[0]
    assert "50/50" in lines[-2]
    assert lines[-1] == ""
    assert not any("\r" in line for line in lines)


def test_a_short_work_says_nothing(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress((x for x in "abc"), "short")) == ["a", "b", "c"]
    with open_progress("cells", "cell", total=3) as bar:
        clock[0] += 59
        bar.update(3)
    assert capsys.readouterr().err == ""


def test_figures_stand_at_the_end_and_a_resumed_work_begins_in_the_middle(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    bar = open_progress("train", "step", total=100, initial=50, position=3, mininterval=0.5)
    bar.set_postfix({"loss": "0.5"}, refresh=False)
    clock[0] += 61
    bar.update(10)
    assert bar.n == 60
    assert "60/100" in (line := capsys.readouterr().err)
    assert "loss=0.5" in line
    silent = open_progress("train", total=2, disable=True)
    clock[0] += 61
    silent.update(2)
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(progress([1, 2, 3], "bar", "pair")) == [1, 2, 3]
    text = capsys.readouterr().err
    assert "\r" in text
    assert "3/3" in text
    assert list(progress([], "nothing")) == []


def test_nothing_draws_bars_by_itself() -> None:
    for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "training").glob("*.py")]:
        names = [
            alias.name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ImportFrom) and node.module == "tqdm"
            for alias in node.names
        ]
        uses = path.read_text().count("tqdm.")
        locks = path.read_text().count("tqdm.set_lock")  # of processes that draw side by side
        if path.name != "progress.py":
            assert not names or uses == locks > 0, path
