from __future__ import annotations

import itertools
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import samantic
from samantic.cli import main
from samantic.errors import InputError
from samantic.models import Network, Output
from samantic.predict.blending import Floats, Places, blend_tiles, tile_starts
from samantic.predict.classifier import _tiles
from samantic.predict.info import read_info
from samantic.predict.model_folder import load_model
from samantic.predict.predictor import Predictor


@pytest.mark.parametrize("length", [5, 40, 41, 64, 100, 333])
def test_tiles_cover_a_side_and_overlap(length: int) -> None:
    starts = tile_starts(length, 40, 10)
    covered = np.zeros(length, int)
    for start in starts:
        assert 0 <= start <= max(0, length - 40)
        covered[start : start + 40] += 1
    assert covered.min() >= 1
    assert all(b - a <= 30 for a, b in itertools.pairwise(starts))


@pytest.mark.parametrize("length", [1, 5, 40, 41, 64, 100, 333])
def test_tiles_around_a_panorama_overlap_across_its_edge(length: int) -> None:
    tile = min(40, length)
    starts = tile_starts(length, tile, tile // 4, wrap=True)
    gaps = np.diff([*starts, starts[0] + length])
    assert len(starts) % 2 == 0
    assert gaps.max() <= tile - tile // 4
    assert gaps.max() - gaps.min() <= 1
    if length % 2 == 0:
        assert sorted((start + length // 2) % length for start in starts) == starts


@pytest.mark.parametrize("wrap", [False, True])
@pytest.mark.parametrize(
    ("height", "width"), [(30, 30), (64, 64), (65, 200), (150, 50), (129, 131)]
)
def test_what_depends_on_each_pixel_alone_is_blended_into_itself(
    height: int, width: int, wrap: bool
) -> None:
    truth = torch.rand(5, height, width).softmax(0)
    asked = []

    def part(rows: slice, columns: Places) -> Floats:
        found = _tiles(truth, rows, columns)
        assert found is not None
        asked.append(found.shape[2:])
        return found[:, None].numpy()

    found = blend_tiles(part, height, width, (64, 64), wrap)
    confidence, labels = (torch.from_numpy(x[0]) for x in found[:2])
    best, expected = truth.max(0)
    assert torch.equal(labels, expected)
    torch.testing.assert_close(confidence, best)
    assert max(max(shape) for shape in asked) <= 64


def test_overlaps_are_averaged_by_the_distance_to_the_edge() -> None:
    """Two tiles that disagree: against the formula, pixel by pixel."""
    probabilities = torch.tensor([[0.9, 0.1], [0.4, 0.6]])

    def part(rows: slice, columns: Places) -> Floats:
        return probabilities[int(columns[0, 0] > 0)][:, None, None].expand(1, 1, 2, 8, 8).numpy()

    confidence = blend_tiles(part, 8, 14, (8, 8)).confidence[0]
    for x in range(14):
        a = min(1, min(x + 0.5, 8 - x - 0.5) / 2) if x < 8 else 0
        b = min(1, min(x - 6 + 0.5, 14 - x - 0.5) / 2) if x >= 6 else 0
        mean = (a * probabilities[0] + b * probabilities[1]) / (a + b)
        assert confidence[3, x].item() == pytest.approx(mean.max().item(), abs=1e-6)


def by_place(image: torch.Tensor) -> torch.Tensor:
    """Probabilities (3, h, w) that depend on where in its tile a pixel (h, w) lies."""
    places = torch.linspace(-2, 2, image.shape[1])
    return torch.stack([image, image * places, image.roll(1, 1)]).softmax(0)


def blended(image: torch.Tensor, wrap: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Confidence and labels of an image (8, W) by place in tiles of 32x32, two at a time."""

    def part(rows: slice, columns: Places) -> Floats:
        return torch.stack([by_place(image[rows][:, places])[None] for places in columns]).numpy()

    found = blend_tiles(part, 8, image.shape[1], (32, 32), wrap, batch_size=2)
    return torch.from_numpy(found.confidence[0]), torch.from_numpy(found.labels[0])


@pytest.mark.parametrize("width", [20, 32, 50, 72, 75])
def test_blending_around_a_panorama(width: int) -> None:
    """Against the definition, pixel by pixel: the mean over the tiles that a pixel lies in."""
    image = 3 * torch.rand(8, width)
    wide = min(32, width)
    total, weight = torch.zeros(3, 8, width), torch.zeros(width)
    for start in tile_starts(width, wide, wide // 4, wrap=True):
        columns = [(start + i) % width for i in range(wide)]
        answer = by_place(image[:, columns])
        for i, column in enumerate(columns):
            share = min(1, (i + 0.5) / (wide / 4), (wide - i - 0.5) / (wide / 4))
            total[:, :, column] += share * answer[:, :, i]
            weight[column] += share
    best, expected = (total / weight).max(0)
    confidence, labels = blended(image, wrap=True)
    torch.testing.assert_close(confidence, best)
    assert torch.equal(labels, expected)


@pytest.mark.parametrize(("width", "turn"), [(20, 10), (32, 16), (72, 18), (72, 36), (74, 37)])
def test_a_turned_panorama_gives_the_turned_answer(width: int, turn: int) -> None:
    """By half its width always; by the distance of its tiles where their number divides it."""
    image = 3 * torch.rand(8, width)
    confidence, labels = blended(image, True)
    turned_confidence, turned_labels = blended(image.roll(turn, 1), True)
    torch.testing.assert_close(turned_confidence, confidence.roll(turn, 1))
    assert torch.equal(turned_labels, labels.roll(turn, 1))
    assert not torch.equal(blended(image.roll(turn, 1), False)[1], labels.roll(turn, 1))


@pytest.mark.parametrize("tile", [64, 1536])
@pytest.mark.parametrize("modalities", [("rgb", "thermal"), ("rgb",)])
def test_a_network_has_no_seam(trained: Path, modalities: tuple[str, ...], tile: int) -> None:
    rng = np.random.default_rng(0)
    images = {"rgb": rng.integers(0, 256, (48, 128, 3), np.uint8), "thermal": rng.random((48, 128))}
    images = {name: images[name] for name in modalities}
    turned = {name: np.roll(image, 64, 1) for name, image in images.items()}
    model = samantic.load(trained, thermal_scaling="0,1", tile=tile, panorama=True)
    before, after = model.predict(**images), model.predict(**turned)
    assert np.array_equal(after.labels, np.roll(before.labels, 64, 1))
    np.testing.assert_allclose(after.confidence, np.roll(before.confidence, 64, 1), rtol=1e-5)
    plain = samantic.load(trained, thermal_scaling="0,1", tile=tile)
    before, after = plain.predict(**images), plain.predict(**turned)
    assert not np.allclose(after.confidence, np.roll(before.confidence, 64, 1), rtol=1e-2)


class Recorder(torch.nn.Module):
    """A network that remembers the sizes of what it is shown."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network, self.heads, self.sizes = network, network.heads, []

    def forward(
        self,
        rgb: torch.Tensor | None,
        thermal: torch.Tensor | None,
        present: torch.Tensor | None,
    ) -> Output:
        assert rgb is not None
        self.sizes.append(tuple(rgb.shape[-2:]))
        out: Output = self.network(rgb, thermal, present)
        return out

    def merge(self) -> None:
        pass


@pytest.mark.parametrize(
    ("view", "tile", "panorama", "expected"),
    [
        (None, None, True, [(32, 1536)] * 2),
        ((32, 2048), None, True, [(32, 2048)] * 2),
        ((32, 2048), None, False, [(32, 2048)]),
        ((64, 4096), None, True, [(32, 2048)] * 2),
        ((32, 1984), None, False, [(32, 1984)] * 2),
        ((2048, 32), None, False, [(32, 1536)] * 2),
        ((32, 2048), 1536, True, [(32, 1536)] * 2),
    ],
)
def test_a_model_is_shown_no_less_than_in_training(
    trained: Path,
    view: tuple[int, int] | None,
    tile: int | None,
    panorama: bool,
    expected: list[tuple[int, int]],
) -> None:
    """A panorama that it learnt as a whole it sees as a whole; what was asked for is done."""
    network, info = load_model(trained)
    seen: Any = Recorder(network)
    model = Predictor(seen, replace(info, view=view), "cpu", tile=tile, panorama=panorama)
    rgb = torch.rand(3, 32, 2048)
    labels = model.classify(rgb[None], None).labels[0, 0]
    assert seen.sizes == expected
    if panorama:
        turned = model.classify(rgb.roll(1024, 2)[None], None).labels[0, 0]
        assert torch.equal(turned, labels.roll(1024, 1))


@pytest.mark.parametrize(
    ("size", "panorama", "expected"),
    [
        (32, False, [(32, 1000)]),  # as in validation, which knows no tiles
        (32, True, [(32, 1000)] * 2),
        (64, False, [(64, 1536)] * 2),
        (128, False, [(128, 1536)] * 4),
    ],
)
def test_tiles_are_of_what_the_network_sees(
    trained: Path, size: int, panorama: bool, expected: list[tuple[int, int]]
) -> None:
    """Not of the image's own pixels, where it is shown in another size."""
    network, info = load_model(trained)
    seen: Any = Recorder(network)
    model = Predictor(seen, info, "cpu", panorama=panorama, size=size)
    rgb = torch.rand(3, 64, 2000)
    labels = model.classify(rgb[None], None).labels[0, 0]
    assert seen.sizes == expected
    assert labels.shape == (64, 2000)


def test_a_model_knows_what_it_saw(trained: Path) -> None:
    folder = trained / "model"
    assert read_info(folder).view == (32, 48)  # its crops
    values = json.loads((folder / "config.json").read_text())
    assert values["view"] == [32, 48]


def test_a_panorama_needs_an_image(trained: Path) -> None:
    model = samantic.load(trained, panorama=True)
    with pytest.raises(InputError, match="no image was given; give rgb, thermal or both"):
        model.predict()
    with pytest.raises(InputError, match="reads rgb or thermal: none was given"):
        model.classify(None, None)


@pytest.mark.parametrize("panorama", [False, True])
def test_sizes_must_agree_in_tiles_too(trained: Path, panorama: bool) -> None:
    model = samantic.load(trained, tile=64, panorama=panorama)
    with pytest.raises(InputError, match="equal N, H and W"):
        model.classify(torch.rand(1, 3, 48, 128), torch.rand(1, 1, 48, 160))


@pytest.mark.realdata
def test_real_panoramas(trained: Path, realdata: Path, tmp_path: Path) -> None:
    """Files through the command, as they are and turned by half."""
    labels = []
    for turn in (0, 1024):
        with Image.open(realdata / "panoramas" / "pass_0.png") as image:
            turned = np.roll(np.asarray(image.convert("RGB")), turn, 1)
        Image.fromarray(turned).save(tmp_path / f"{turn}.png")
        out = tmp_path / f"out{turn}"
        words = ["predict", str(trained), "--rgb", str(tmp_path / f"{turn}.png"), "--panorama"]
        assert main([*words, "--out", str(out)]) == 0
        with Image.open(out / "labels" / f"{turn}.png") as answer:
            labels.append(np.asarray(answer))
    assert labels[0].shape == (692, 2048)
    assert np.array_equal(labels[1], np.roll(labels[0], 1024, 1))


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
        assert "is not a whole number in 64..65536" in capsys.readouterr().err


@pytest.mark.slow
def test_memory_of_a_large_pair(tmp_path: Path) -> None:
    """Two rows of tiles, 2000 pixels wide, largest built-in network; more rows add none."""
    code = """
import resource, numpy as np, torch
from samantic.predict.info import ModelInfo
from samantic.config import AdaptConfig, SartmConfig
from samantic.data import CATALOG
from samantic.models import SARTM, load_sam2
from samantic.predict.predictor import Predictor
torch.set_num_threads(1)
spec = CATALOG["mfnet"]
info = ModelInfo(SartmConfig("random-nano"), AdaptConfig("full"), spec.classes, spec.palette, "")
model = Predictor(SARTM(load_sam2("random-nano"), 9, adapt=info.adapt), info, "cpu", tile=1024)
rng = np.random.default_rng(0)
labels = model.predict(rng.integers(0, 256, (1500, 2000, 3), np.uint8),
                       rng.integers(0, 256, (1500, 2000), np.uint8)).labels
assert labels.shape == (1500, 2000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) / 1e6 < 3.0  # ru_maxrss is in kB
