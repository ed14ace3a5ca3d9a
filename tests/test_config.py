from __future__ import annotations

from pathlib import Path

import pytest

from samantic.config import Config, DataConfig
from samantic.config_files import read_config, to_yaml
from samantic.errors import InputError

CONFIGS = sorted(Path(__file__).parents[1].glob("configs/*.yaml"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text("out: runs/x\ndata: {root: data}\nadapt: full\n")
    return path


def test_defaults_and_shorthand(path: Path) -> None:
    config = read_config(path)
    assert config == Config("runs/x", DataConfig("data"), adapt=config.adapt)
    assert config.adapt.method == "full"
    assert config.augment.crop == (480, 640)


def test_overrides(path: Path) -> None:
    words = ["--adapt", "lora", "--adapt.random-ok", "--train.learning-rate", "3e-4"]
    words += ["--augment.crop=[64,96]", "--data.classes", "[a, b]", "--train.steps=7"]
    config = read_config(path, words)
    assert config.adapt.method == "lora"
    assert config.adapt.random_ok is True
    assert config.train.learning_rate == 3e-4
    assert config.train.steps == 7
    assert config.augment.crop == (64, 96)
    assert config.data.classes == ["a", "b"]


def test_written_out_and_read_back(path: Path, tmp_path: Path) -> None:
    config = read_config(path, ["--train.steps", "3", "--data.classes", "[a, b]"])
    again = tmp_path / "again.yaml"
    again.write_text(to_yaml(config))
    assert read_config(again) == config


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        ("out: x\ndata: {root: d}\nmodle: {}\n", [], "modle"),
        ("out: x\ndata: {root: d, rot: 3}\n", [], "rot"),
        ("out: x\ndata: {}\n", [], "data.root"),
        ("out: x\ndata: {root: d}\n", ["--train.steps", "many"], "train.steps"),
        ("out: x\ndata: {root: d}\n", ["--model.fusion", "none"], "model.fusion"),
        ("out: x\ndata: {root: d}\n", ["--what", "3"], "--what"),
        ("out: x\ndata: {root: d}\n", ["--train.steps", "0"], "train.steps must be at least 1"),
        ("out: x\ndata: {root: d}\n", ["--augment.scale", "[2, 1]"], "augment.scale must be"),
        ("out: x\ndata: {root: d}\n", ["--loss.language", "1"], "loss.language needs text.source"),
        ("out: x\ndata: {root: d}\n", ["--model.fusion", "figure"], "figure needs loss.language"),
        ("out: x\ndata: {root: d}\n", ["--loss.tau", "0"], "loss.tau must be positive"),
        ("out: x\ndata: {root: d}\n", ["--text.prompt", "a"], "text.prompt must contain {}"),
        ("- a\n- b\n", [], "a configuration is a YAML mapping"),
        ("out: [", [], "not valid YAML"),
    ],
)
def test_bad_configurations(tmp_path: Path, text: str, words: list[str], message: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_config(path, words)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such configuration file"):
        read_config(tmp_path / "none.yaml")


@pytest.mark.parametrize("shipped", CONFIGS, ids=lambda p: p.stem)
def test_shipped_configurations_parse(shipped: Path) -> None:
    assert read_config(shipped).out.startswith("runs/")
