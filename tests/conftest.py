"""Shared fixtures: no network, small random networks, generated data in the true layouts."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # before huggingface_hub reads it

from samantic.cli import main
from samantic.config import AdaptConfig
from samantic.config.networks import Fusion
from samantic.export.job import Order, export
from samantic.models import SARTM, load_sam2
from samantic.predict.predictor import load
from samantic.scenes.write import write_scenes
from tests.helpers import write_changed

REALDATA = Path(os.environ.get("SAMANTIC_REALDATA", Path(__file__).parents[2] / "shared" / "data"))


def pytest_configure() -> None:
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as in the background of a shell
        signal.signal(signal.SIGINT, signal.default_int_handler)
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"  # of the commands that tests start


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not REALDATA.is_dir():
        for item in items:
            if item.get_closest_marker("realdata"):
                item.add_marker(pytest.mark.skip(reason=f"no real data in {REALDATA}"))


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail on any connection that leaves this machine."""
    connect = socket.socket.connect

    def local_only(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local_only)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def realdata() -> Path:
    return REALDATA


@pytest.fixture(scope="session")
def mfnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten generated scenes of 48x64 in MFNet's layout; read only."""
    root = tmp_path_factory.mktemp("mfnet")
    splits = {"train": range(6), "val": range(6, 8), "test": range(8, 10)}
    write_scenes(root, "mfnet", splits, seed=3, size=(48, 64))
    return root


@pytest.fixture
def make_network() -> Callable[..., SARTM]:
    """Build a micro network; its FFM is made to matter, as after some training."""

    def build(
        fusion: Fusion = "paper",
        method: str = "full",
        classes: int = 5,
        shared: bool = False,
        **options: Any,
    ) -> SARTM:
        adapt = AdaptConfig(method=method, rank=2, shared=shared)  # type: ignore[arg-type]
        network = SARTM(
            load_sam2("random-micro"), classes, fusion=fusion, adapt=adapt, **options
        ).eval()
        for name, parameter in network.named_parameters():
            if name.endswith(("out_norm.weight", "b_q", "b_v")):
                torch.nn.init.normal_(parameter, std=0.5)
        return network

    return build


@pytest.fixture
def write_config(tmp_path: Path) -> Callable[..., Path]:
    """Write a configuration of a tiny run; nested keys are given as dictionaries."""

    def write(root: Path, **changes: Any) -> Path:
        values: dict[str, Any] = {
            "out": str(tmp_path / "run"),
            "data": {"root": str(root), "workers": 0},
            "model": {"base": "random-micro"},
            "adapt": "full",
            "augment": {"crop": [32, 32]},
            "train": {"steps": 4, "batch_size": 2, "validations": 2, "precision": "32-true"},
        }
        return write_changed(tmp_path / "config.yaml", values, changes)

    return write


@pytest.fixture(scope="session")
def trained(mfnet: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a tiny training on the generated scenes, through the real command."""
    folder = tmp_path_factory.mktemp("trained")
    config = folder / "config.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "out": str(folder / "tiny"),
                "data": {"root": str(mfnet), "workers": 0},
                "model": {"base": "random-micro"},
                "adapt": "full",
                "augment": {"crop": [32, 48], "scale": [1.0, 2.0]},
                "train": {"steps": 6, "batch_size": 2, "validations": 3, "learning_rate": 0.003},
            }
        )
    )
    assert main(["train", str(config)]) == 0
    return folder / "tiny"


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """nano for images of 48x64, as ONNX."""
    path = tmp_path_factory.mktemp("exported") / "nano.onnx"
    export(load("nano", "cpu"), Order("onnx", size=(48, 64)), path)
    return path
