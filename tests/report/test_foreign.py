"""No page is written over a file that somebody else has made."""

from __future__ import annotations

from pathlib import Path

import pytest

from samantic.cli import main
from samantic.errors import InputError
from samantic.report.pages import write_sections
from samantic.scenes.write import write_scenes

THEIRS = "<html><body>my own page</body></html>"


def test_any_page(tmp_path: Path) -> None:
    path = tmp_path / "check.html"
    path.write_text(THEIRS)
    with pytest.raises(
        InputError, match=r"check.html: not written by samantic, and would be overwritten"
    ):
        write_sections(path, "T", [], [])
    assert path.read_text() == THEIRS
    path.unlink()
    for title in ("one", "two"):
        write_sections(path, title, [], [])
    old = path.read_text().replace('<meta name="generator" content="samantic">', "")
    path.write_text(old)  # as older versions wrote it
    write_sections(path, "three", [], [])
    assert "<title>three</title>" in path.read_text()


def test_check_and_ablate_say_it_before_they_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = tmp_path / "d", tmp_path / "out"
    write_scenes(root, "pairs", {"train": range(2)}, seed=0, size=(64, 96))
    check = ["check", "--data", str(root), "--layout", "pairs", "--out", str(out)]
    assert main(check) == 0
    (out / "check.html").write_text(THEIRS)
    capsys.readouterr()
    assert main(check) == 2
    assert "check.html: not written by samantic" in capsys.readouterr().err
    table, config = tmp_path / "t.yaml", tmp_path / "c.yaml"
    table.write_text("title: T\nrows: {a: {set: {}}, b: {set: {train.seed: 1}}}\n")
    config.write_text("out: x\ndata: {root: x}\n")
    for name in ("report.html", "t.md", "t.csv"):
        mine = tmp_path / f"tables-{name}"
        mine.mkdir()
        (mine / name).write_text(THEIRS)
        words = ["ablate", str(table), "--config", str(config), "--out", str(mine)]
        assert main(words) == 2
        assert name in capsys.readouterr().err
        assert (mine / name).read_text() == THEIRS
