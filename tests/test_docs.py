"""What the documents tell a reader to type is typed here, in their order, in an empty folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samantic.scenes.write import split_indices, write_scenes

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run_blocks(document: Path, folder: Path) -> int:
    blocks = BLOCK.findall(document.read_text())
    programs = Path(sys.executable).parent
    for language, block in blocks:
        command = {"sh": ["bash", "-euc", block], "python": [sys.executable, "-c", block]}[language]
        environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"}
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
    return len(blocks)


@pytest.mark.slow
def test_quickstart(tmp_path: Path) -> None:
    assert run_blocks(ROOT / "docs" / "quickstart.md", tmp_path) == 5
    assert len(list((tmp_path / "predictions" / "overlays").iterdir())) == 20
    assert (tmp_path / "overlay.png").exists()
    assert (tmp_path / "runs" / "mine" / "report.html").exists()


@pytest.mark.slow
def test_readme(tmp_path: Path) -> None:
    write_scenes(tmp_path / "mine", "pairs", split_indices(10), seed=0, size=(64, 96))
    for path in (tmp_path / "mine" / "labels").iterdir():
        labels = np.asarray(Image.open(path))
        Image.fromarray(np.where(labels < 3, labels, 0).astype(np.uint8)).save(path)
    for kind in ("rgb", "thermal"):
        shutil.copy(next((tmp_path / "mine" / kind).iterdir()), tmp_path / f"{kind}.png")
    assert run_blocks(ROOT / "README.md", tmp_path) == 3
    assert (tmp_path / "runs" / "mine" / "report.html").exists()


def test_the_site_builds_without_warnings(tmp_path: Path) -> None:
    """A copy is built, since the tool writes beside what it reads."""
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = {p.relative_to(ROOT / "docs") for p in (ROOT / "docs").rglob("*.md")}
    navigation = (ROOT / "mkdocs.yml").read_text()
    assert all(f": {page.as_posix()}" in navigation for page in pages)
