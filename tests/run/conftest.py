"""A tiny distillation, and what it needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from samantic.scenes.write import write_scenes
from tests.helpers import save_segformer, write_changed

WriteConfig = Callable[..., Path]


@pytest.fixture
def write_distill(tmp_path: Path, mfnet: Path, trained: Path) -> WriteConfig:
    """Write a configuration of a tiny distillation; nested keys are given as dictionaries."""

    def write(**changes: Any) -> Path:
        values: dict[str, Any] = {
            "out": str(tmp_path / "run"),
            "data": {"root": str(mfnet), "workers": 0, "val": "val", "test": "test"},
            "teacher": {"model": str(trained)},
            "masks": {"source": "instances"},
            "student": {"base": "segformer-micro"},
            "train": {"steps": 4, "batch_size": 2, "validations": 2, "precision": "32-true"},
        }
        return write_changed(tmp_path / "distill.yaml", values, changes)

    return write


@pytest.fixture(scope="session")
def segformer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SegFormer of transformers that names MFNet's classes."""
    folder = tmp_path_factory.mktemp("segformer")
    torch.manual_seed(0)
    save_segformer(folder, "mfnet")
    return folder


@pytest.fixture(scope="session")
def panoramas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five generated panoramas of 64x160 in DensePASS's layout; read only."""
    root = tmp_path_factory.mktemp("panoramas")
    splits = {"train": range(3), "val": range(3, 4), "test": range(4, 5)}
    write_scenes(root, "densepass", splits, seed=5, size=(64, 160))
    return root
