"""An exported file answers where neither torch nor anything built on it is installed."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import samantic

NEEDED = ("numpy", "pillow", "lazy-loader", "packaging", "onnxruntime", "protobuf", "flatbuffers")
"""Distributions that the environment has."""

PYTHON = (sys.executable, "-I", "-S", "-c")
"""Without the site packages of this environment."""

PROGRAM = """
import sys
import samantic
model = samantic.load({path!r})
found = model.predict(rgb={rgb!r}, thermal={thermal!r})
found.save("out", "frame")
heavy = ("torch", "scipy", "transformers", "lightning", "yaml", "kornia", "matplotlib")
assert not [name for name in heavy if name in sys.modules], sys.modules.keys()
print(found.labels.shape, model.info.classes[1])
"""


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the needed distributions and samantic, linked, and nothing else."""
    folder = tmp_path_factory.mktemp("bare")
    for name in NEEDED:
        for file in importlib.metadata.files(name) or ():
            top = file.parts[0]
            if not top.startswith("..") and not (folder / top).exists():
                (folder / top).symlink_to(
                    Path(str(file.locate())).parents[len(file.parts) - 2]
                    if len(file.parts) > 1
                    else Path(str(file.locate()))
                )
    (folder / "samantic").symlink_to(Path(samantic.__file__).parent)
    return folder


def test_a_robot_needs_no_torch(bare: Path, exported: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rgb, thermal = tmp_path / "rgb.png", tmp_path / "thermal.png"
    Image.fromarray(rng.integers(0, 256, (48, 64, 3), np.uint8)).save(rgb)
    Image.fromarray(rng.integers(0, 256, (48, 64), np.uint8)).save(thermal)
    program = PROGRAM.format(path=str(exported), rgb=str(rgb), thermal=str(thermal))
    run = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import sys; sys.path.append({str(bare)!r})\n{program}",
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("(48, 64) car")
    theirs = np.asarray(Image.open(tmp_path / "out" / "labels" / "frame.png"))
    ours = samantic.load("nano", device="cpu").predict(rgb=rgb, thermal=thermal)
    assert np.array_equal(theirs, ours.labels)


def test_the_environment_has_no_torch(bare: Path) -> None:
    """The test above proves something."""
    program = f"import sys; sys.path.append({str(bare)!r}); import torch"
    run = subprocess.run([*PYTHON, program], capture_output=True, text=True, check=False)
    assert "No module named 'torch'" in run.stderr
