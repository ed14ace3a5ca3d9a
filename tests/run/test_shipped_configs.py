"""Every YAML that ships says what can be meant, and runs on a micro base and generated data.

Images are generated at a fifth or so of their size in the layout, and crops are as much smaller.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from samantic.cli import main
from samantic.config import SartmConfig, TextConfig
from samantic.config.read import read_config, read_distill_config
from samantic.data import CATALOG
from samantic.scenes.write import write_scenes
from tests.helpers import save_segformer

ROOT = Path(__file__).parents[2]
DISTILLED = sorted(ROOT.glob("configs/goodsam_*.yaml"))
CONFIGS = sorted({*ROOT.glob("configs/*.yaml"), *ROOT.glob("training/*.yaml")} - {*DISTILLED})
PAPER = sorted(ROOT.glob("configs/*_paper.yaml"))

SIZES = {"pst900": (720, 1280), "fmb": (600, 800), "cityscapes": (128, 256)}
"""Height and width of the images of a layout, where not 480x640; of cityscapes generated ones."""

WIDTH = 128
"""Of the generated images."""


def image_size(shipped: Path, layout: str) -> tuple[int, int]:
    """Height and width of the images that a configuration is for."""
    return (96, 128) if shipped.stem == "scenes" else SIZES.get(layout, (480, 640))


@pytest.mark.parametrize("shipped", CONFIGS, ids=lambda path: path.stem)
def test_values_of_shipped_configurations(shipped: Path) -> None:
    """What their runs on small data do not tell."""
    config = read_config(shipped)
    size, crop, (least, most) = (
        image_size(shipped, config.data.layout),
        config.augment.crop,
        config.augment.scale,
    )
    assert all(side % 32 == 0 for side in crop)  # or every training image is padded
    # a crop can be filled at the largest magnification, and is no thumbnail of the image
    assert all(side <= most * whole for side, whole in zip(crop, size, strict=True))
    assert all(side >= whole / 3 for side, whole in zip(crop, size, strict=True))
    assert least <= 1 <= most
    train = config.train
    assert 2 <= train.batch_size <= 8
    if train.steps is None:  # the whole data set, on a GPU
        assert 100 <= train.epochs <= 500
        assert train.precision == "auto"
    else:
        assert 500 <= train.steps <= 3000
        assert train.validations <= train.steps / 50
    # adapters, small networks and those that start from little learn at higher rates
    assert 1e-4 <= train.learning_rate <= (3e-3 if train.steps else 2e-4)
    assert train.weight_decay == 0.01
    assert train.warmup in (0.02, 0.03)
    assert train.seed == 0
    assert config.model.context == "sum"
    assert config.loss.ohem_count == "batch"


@pytest.mark.parametrize("shipped", PAPER, ids=lambda path: path.stem)
def test_paper_presets_are_the_papers(shipped: Path) -> None:
    """Network, losses and optimisation of arXiv 2505.01950 and its released configuration."""
    config = read_config(shipped)
    side = {"pst900": 1280, "mfnet": 800, "fmb": 800}[config.data.layout]
    assert config.augment.crop == (side, side)
    assert config.augment.modality_dropout == 0
    assert (config.adapt.method, config.adapt.rank, config.adapt.shared) == ("lora", 16, False)
    assert config.model == SartmConfig(
        base="facebook/sam2-hiera-base-plus",
        fusion="paper",
        auxiliary="fpn",
        decoder="frozen",
        prediction="mask",
    )
    loss = config.loss
    assert loss.cross_entropy == "ohem"
    assert (loss.auxiliary, loss.prototype, loss.language) == (0.008, 10000, 100)
    assert (loss.tau, loss.cross_modal, loss.class_balance) == (1.0, 0.0, 0.0)
    assert config.text == TextConfig("openai/clip-vit-base-patch32")
    train = config.train
    assert (train.epochs, train.steps, train.batch_size) == (500, None, 8)
    assert (train.learning_rate, train.weight_decay) == (1e-4, 0.01)
    assert train.warmup * train.epochs == 10
    assert train.clip is None
    assert config.data.test == "test"
    assert config.data.val not in (config.data.train, config.data.test)


@pytest.mark.parametrize("shipped", DISTILLED, ids=lambda path: path.stem)
def test_values_of_shipped_distillations(shipped: Path) -> None:
    config = read_distill_config(shipped)
    train = config.train
    assert 2 <= train.batch_size <= 8
    assert (100 <= train.steps <= 400) if train.steps else (50 <= train.epochs <= 200)
    assert 6e-5 <= train.learning_rate <= 3e-4
    assert train.precision == "auto"
    # windows as high as the panoramas: of DensePASS, and of generated ones
    assert config.window == {"goodsam_panorama": 400, "goodsam_scenes": 128}.get(shipped.stem)
    if config.augment.crop is not None:
        assert all(side % 32 == 0 for side in config.augment.crop)
        assert config.augment.scale[0] <= 1 <= config.augment.scale[1]


@pytest.mark.parametrize("shipped", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configurations_train(shipped: Path, tmp_path: Path) -> None:
    """Every YAML, on a micro base and generated data in its own layout, for one step."""
    config = read_config(shipped)
    layout = config.data.layout
    micro = {"sartm": "random-micro", "student": "segformer-micro"}[config.model.network]
    splits = {"train": range(10), "val": range(10, 15), "test": range(15, 17)}
    height, width = image_size(shipped, layout)
    size = (round(height * WIDTH / width), WIDTH)
    crop = [max(32, round(side * WIDTH / width / 32) * 32) for side in config.augment.crop]
    write_scenes(tmp_path / "data", layout, splits, seed=1, size=size)
    changes = {
        "out": tmp_path / "run",
        "data.root": tmp_path / "data",
        "data.workers": 0,
        "model.base": micro,
        "train.start": "null",
        "train.teacher": "null",
        "adapt.random-ok": "true",
        "augment.crop": crop,
        "train.steps": 1,
        "train.batch-size": 2,
    }
    if config.data.eval_size:
        changes["data.eval-size"] = min(crop)
    if config.text.source:  # in place of a language model
        names = np.array(CATALOG[layout].classes)
        np.savez(tmp_path / "text.npz", names=names, embeddings=np.random.rand(len(names), 4))
        changes["text.source"] = tmp_path / "text.npz"
    if layout == "pairs":
        changes["data.classes"] = f"[{', '.join(CATALOG['mfnet'].classes)}]"
    words = [f"--{key}={value}" for key, value in changes.items()]
    assert main(["train", str(shipped), *words]) == 0
    assert (tmp_path / "run" / "model" / "model.safetensors").is_file()
    assert (tmp_path / "run" / "metrics.json").exists() == (config.data.test is not None)


@pytest.mark.parametrize("shipped", DISTILLED, ids=lambda path: path.stem)
def test_shipped_configurations_distil(shipped: Path, tmp_path: Path) -> None:
    """The same for every YAML of a distillation, from a micro teacher."""
    config = read_distill_config(shipped)
    splits = {"train": range(3), "val": range(3, 5), "test": range(5, 6)}
    write_scenes(tmp_path / "data", config.data.layout, splits, seed=1, size=(64, 160))
    save_segformer(tmp_path / "teacher", config.data.layout)
    changes = {
        "out": tmp_path / "run",
        "data.root": tmp_path / "data",
        "data.workers": 0,
        "teacher.model": tmp_path / "teacher",
        "window": 64 if config.window else "null",
        "masks.base": "random-micro",
        "masks.cache": "null",
        "masks.side": 4,
        "student.base": "segformer-micro",
        "train.start": "null",
        "train.steps": 1,
    }
    words = [f"--{key}={value}" for key, value in changes.items()]
    assert main(["distill", str(shipped), *words]) == 0
    assert "distillation" in json.loads((tmp_path / "run" / "metrics.json").read_text())
