from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import samantic
from samantic.cli import main
from samantic.tiling import blend_tiles, tile_starts


@pytest.mark.parametrize("length", [5, 40, 41, 64, 100, 333])
def test_tiles_cover_a_side_and_overlap(length: int) -> None:
    starts = tile_starts(length, 40, 10)
    covered = np.zeros(length, int)
    for start in starts:
        assert 0 <= start <= max(0, length - 40)
        covered[start : start + 40] += 1
    assert covered.min() >= 1
    assert all(b - a <= 30 for a, b in itertools.pairwise(starts))


@pytest.mark.parametrize(
    ("height", "width"), [(30, 30), (64, 64), (65, 200), (150, 50), (129, 131)]
)
def test_what_depends_on_each_pixel_alone_is_blended_into_itself(height: int, width: int) -> None:
    truth = torch.rand(5, height, width).softmax(0)
    asked = []

    def part(rows: slice, columns: slice) -> torch.Tensor:
        asked.append(truth[:, rows, columns].shape[1:])
        return truth[:, rows, columns]

    confidence, labels = blend_tiles(part, height, width, 64)
    best, expected = truth.max(0)
    assert torch.equal(labels, expected)
    torch.testing.assert_close(confidence, best)
    assert max(max(shape) for shape in asked) <= 64


def test_overlaps_are_averaged_by_the_distance_to_the_edge() -> None:
    """Two tiles that disagree: against the formula, pixel by pixel."""
    probabilities = torch.tensor([[0.9, 0.1], [0.4, 0.6]])

    def part(rows: slice, columns: slice) -> torch.Tensor:
        return probabilities[int(columns.start > 0)][:, None, None].expand(2, 8, 8)

    confidence, _ = blend_tiles(part, 8, 14, 8)
    for x in range(14):
        a = min(1, min(x + 0.5, 8 - x - 0.5) / 2) if x < 8 else 0
        b = min(1, min(x - 6 + 0.5, 14 - x - 0.5) / 2) if x >= 6 else 0
        mean = (a * probabilities[0] + b * probabilities[1]) / (a + b)
        assert confidence[3, x].item() == pytest.approx(mean.max().item(), abs=1e-6)


def test_no_tiles_where_the_image_is_no_larger(trained: Path) -> None:
    rng = np.random.default_rng(0)
    rgb, thermal = rng.integers(0, 256, (96, 128, 3), np.uint8), np.zeros((96, 128), np.uint8)
    whole = samantic.load(trained).predict(rgb, thermal)
    tiled = samantic.load(trained, tile=128).predict(rgb, thermal)
    assert np.array_equal(whole.labels, tiled.labels)
    assert np.array_equal(whole.confidence, tiled.confidence)
    cut = samantic.load(trained, tile=64).predict(rgb, thermal)
    assert cut.labels.shape == (96, 128)
    assert not np.array_equal(whole.confidence, cut.confidence)


def test_tile_must_be_a_number_of_pixels(capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("0", "-5", "many"):
        with pytest.raises(SystemExit) as caught:
            main(["predict", "nano", "--rgb", "x", "--out", "y", f"--tile={text}"])
        assert caught.value.code == 2
        assert "is not a number of pixels from 64 on" in capsys.readouterr().err


@pytest.mark.slow
def test_memory_of_a_large_pair(tmp_path: Path) -> None:
    """Two rows of tiles, 4000 pixels wide, largest built-in network; more rows add none."""
    code = """
import resource, numpy as np, torch
from samantic.checkpoint import ModelInfo
from samantic.config import AdaptConfig, ModelConfig
from samantic.data import CATALOG
from samantic.models import SARTM, load_sam2
from samantic.predict import Predictor
torch.set_num_threads(1)
spec = CATALOG["mfnet"]
info = ModelInfo(ModelConfig("random-nano"), AdaptConfig("full"), spec.classes, spec.palette, "")
model = Predictor(SARTM(load_sam2("random-nano"), 9, adapt=info.adapt), info, "cpu", tile=1024)
rng = np.random.default_rng(0)
labels = model.predict(rng.integers(0, 256, (1500, 4000, 3), np.uint8),
                       rng.integers(0, 256, (1500, 4000), np.uint8)).labels
assert labels.shape == (1500, 4000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) / 1e6 < 3.0  # ru_maxrss is in kB
