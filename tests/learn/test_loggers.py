"""`train.log`: TensorBoard and Weights & Biases, stand-ins of which record what they are told."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from samantic.cli import main
from samantic.learn import loggers

WriteConfig = Callable[..., Path]
Stub = Callable[[str, str], ModuleType]

PACKAGES = ("tensorboardX", "wandb")

BOARD = """
class SummaryWriter:
    told = []
    def __init__(self, log_dir, **_):
        self.told.append(("dir", log_dir))
    def add_scalar(self, tag, value, step):
        self.told.append((tag, step))
    def add_image(self, tag, pixels, step, dataformats):
        assert dataformats == "HWC"
        self.told.append((tag, step, pixels))
    def add_hparams(self, *_): pass
    def flush(self): pass
    def close(self): pass
"""

WANDB = """
import sys
from types import ModuleType
told = []
run = None
__path__ = []
class RunDisabled: pass
class Image:
    def __init__(self, pixels, **_):
        self.pixels = pixels
class Run:
    name = "run"
    def __init__(self, **options):
        told.append(options)
        self.id = options["id"]
    def define_metric(self, *_, **__): pass
    def log(self, values, **_):
        told.append(values)
    def finish(self):
        globals()["run"] = None
def init(**options):
    globals()["run"] = Run(**options)
    return run
for name in ("sdk", "sdk.lib", "wandb_run"):
    sys.modules["wandb." + name] = ModuleType("wandb." + name)
sys.modules["wandb.sdk.lib"].RunDisabled = RunDisabled
sys.modules["wandb.wandb_run"].Run = Run
"""


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    """Write a module where Python finds it."""

    def make(name: str, text: str) -> ModuleType:
        (tmp_path / "stubs").mkdir(exist_ok=True)
        (tmp_path / "stubs" / f"{name}.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path / "stubs")
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    yield make
    for name in [name for name in sys.modules if name.partition(".")[0] in PACKAGES]:
        del sys.modules[name]


def test_tensorboard_shows_figures_and_pairs(
    mfnet: Path,
    write_config: WriteConfig,
    stub: Stub,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    import lightning.fabric.loggers.tensorboard as fabric
    import lightning.pytorch.loggers.tensorboard as pytorch

    told = stub("tensorboardX", BOARD).SummaryWriter.told
    for module in (fabric, pytorch):
        monkeypatch.setattr(module, "_TENSORBOARD_AVAILABLE", False, raising=False)
        monkeypatch.setattr(module, "_TENSORBOARDX_AVAILABLE", True, raising=False)
    monkeypatch.setitem(loggers.PACKAGES, "tensorboard", ("tensorboardX",))
    path = write_config(mfnet, data={"test": None}, train={"log": ["tensorboard"]})
    assert main(["train", str(path)]) == 0
    assert told[0] == ("dir", str(tmp_path / "run" / "tensorboard"))
    assert {tag for tag, *_ in told} >= {"train/loss", "val/miou"}
    pictures = [(tag, step, *more) for tag, step, *more in told[1:] if more]
    assert [step for _, step, _ in pictures] == [2, 2, 4, 4], "two pairs, two validations"
    assert all(pixels.shape == (48, 4 * 64, 3) for *_, pixels in pictures)
    assert all(pixels.dtype == np.uint8 for *_, pixels in pictures)
    assert (tmp_path / "run" / "logs" / "part-0" / "metrics.csv").exists()


def test_wandb_goes_on_in_the_same_run(
    mfnet: Path,
    write_config: WriteConfig,
    stub: Stub,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import lightning.pytorch.loggers.wandb as pytorch

    told = stub("wandb", WANDB).told
    monkeypatch.setattr(pytorch, "_WANDB_AVAILABLE", True)
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    path = write_config(mfnet, data={"test": None}, train={"log": ["wandb"]})
    assert main(["train", str(path)]) == 0
    assert main(["train", str(path), "--resume", "--train.steps", "6"]) == 0
    runs = [one for one in told if "project" in one]
    assert len(runs) == 2
    assert {one["project"] for one in runs} == {"mine"}
    assert len({one["id"] for one in runs}) == 1
    assert any("train/loss" in one for one in told)
    assert sys.modules["wandb"].run is None, "the next run of this process begins its own"
    assert sum(key.startswith("val/0") for one in told for key in one) >= 4


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_a_logger_that_is_not_installed(
    mfnet: Path,
    write_config: WriteConfig,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    monkeypatch.setattr(loggers.importlib.util, "find_spec", lambda _: None)
    path = write_config(mfnet, train={"log": [name]})
    assert main(["train", str(path)]) == 2
    line = f"train.log {name}: not installed; pip install samantic[{name}]"
    assert line in capsys.readouterr().err
    assert not (path.parent / "run" / "config.yaml").exists()


@pytest.mark.parametrize("value", ["tensorboard", "[comet]", "7"])
def test_values_of_the_option(
    mfnet: Path, write_config: WriteConfig, capsys: pytest.CaptureFixture[str], value: Any
) -> None:
    assert main(["train", str(write_config(mfnet)), "--train.log", value]) == 2
    line = capsys.readouterr().err
    assert "it must be a list of some of tensorboard, wandb, or null" in line
