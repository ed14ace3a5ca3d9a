"""Whether hot is bright in thermal images: told where it is plain, and left open elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samantic.check.polarity import judged
from samantic.cli import main
from samantic.scenes.worlds import draw_pinhole


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("streets")
    for index in range(8):
        scene = draw_pinhole(3, index, (240, 320))
        for kind, pixels in (
            ("rgb", scene.rgb),
            ("white", scene.thermal),
            ("black", 255 - scene.thermal),
        ):
            (root / kind).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(root / kind / f"{index}.png")
    return root


@pytest.mark.parametrize(
    ("thermal", "given", "hot", "told"),
    [
        ("black", [], "dark", "all: hot seems to be dark in thermal (black-hot); look, and say so"),
        ("black", ["--thermal-inverted"], "bright", ""),
        ("white", ["--thermal-inverted"], "dark", "leave --thermal-inverted out"),
    ],
)
def test_check_tells_what_hot_is(
    streets: Path,
    thermal: str,
    given: list[str],
    hot: str,
    told: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = ["--rgb", "rgb", "--thermal", thermal, "--layout", "pairs"]
    words = ["check", "--data", str(streets), *files, *given, "--out", str(tmp_path)]
    assert main(words) == 0
    out = capsys.readouterr().out
    found = json.loads((tmp_path / "check.json").read_text())["splits"]["all"]["hot_is"]
    assert found == hot
    assert told in out
    assert ("--thermal-inverted" in out) == bool(told)


def test_little_is_no_verdict() -> None:
    assert judged([(1.0, 1.0)] * 5).hot == "unknown"
    assert judged([(1.0 + 0.1 * i, 1.0) for i in range(8)]).hot == "bright"
    assert judged([(-1.0 - 0.1 * i, -1.0) for i in range(8)]).hot == "dark"
    assert judged([(1.0 + 0.1 * i, -1.0) for i in range(8)]).hot == "unknown", "the two contradict"
    rng = np.random.default_rng(0)
    assert judged([(v, v) for v in rng.normal(0.3, 1, 16)]).hot == "unknown"


def test_unknown_says_why() -> None:
    assert judged([(1.0, 1.0)] * 5).doubt == "5 usable pairs, 6 are needed"
    rng = np.random.default_rng(0)
    noise = judged([(v, v) for v in rng.normal(0.3, 1, 16)])
    assert noise.doubt == "nano sees too little in 16 pairs"
    assert judged([(1.0 + 0.1 * i, 1.0) for i in range(8)]).doubt == ""
