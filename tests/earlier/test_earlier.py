"""Configurations and model folders that an earlier version wrote are read, and answer alike.

A model's weights are not kept here but drawn again: by name, from numpy's generator.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from torch import Tensor

from samantic.config.read import read_any_config, to_yaml
from samantic.predict.model_folder import CONFIG, WEIGHTS, load_model, save_model

HERE = Path(__file__).parent
MODELS = sorted(path.parent.name for path in HERE.glob("*/tensors.json"))
CONFIGS = sorted(HERE.glob("*.yaml"))


def drawn(name: str, shape: list[int], kind: str) -> Tensor:
    dtype = getattr(torch, kind)
    if not dtype.is_floating_point:
        return torch.zeros(shape, dtype=dtype)
    values = np.random.default_rng(sum(name.encode()) % 997).standard_normal(int(np.prod(shape)))
    values *= 0.1
    if name.endswith("running_var"):
        values = 1 + np.abs(values)
    if "norm" in name and name.endswith("weight"):
        values = 1 + values
    return torch.from_numpy(values.reshape(shape)).to(dtype)


@pytest.fixture(params=MODELS)
def earlier(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """A model folder of an earlier version, and what it answered then."""
    source, folder = HERE / request.param, tmp_path / "model"
    folder.mkdir()
    (folder / CONFIG).write_text((source / CONFIG).read_text())
    tensors = {
        name: drawn(name, *parts)
        for name, parts in json.loads((source / "tensors.json").read_text()).items()
    }
    save_file(tensors, folder / WEIGHTS, {"format": "pt"})
    return folder, json.loads((source / "answer.json").read_text())


@torch.no_grad()
def test_models_of_an_earlier_version_answer_alike(
    earlier: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    folder, expected = earlier
    network, info = load_model(folder)
    rng = np.random.default_rng(1)
    rgb, thermal = (torch.from_numpy(rng.random((1, c, 64, 80), np.float32)) for c in (3, 1))
    images = {"rgb": rgb, "thermal": thermal}
    out = network(**{name: images[name] for name in network.modalities})
    found = {"logits": out.logits} | ({} if out.auxiliary is None else {"auxiliary": out.auxiliary})
    assert found.keys() == expected.keys()
    for name, logits in found.items():
        values = logits[0, :, ::16, ::20].flatten()
        torch.testing.assert_close(values, torch.tensor(expected[name]), atol=2e-5, rtol=1e-4)
    save_model(tmp_path / "again", network, info)
    before, after = (load_file(path / WEIGHTS) for path in (folder, tmp_path / "again"))
    assert before.keys() == after.keys()


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_configurations_of_an_earlier_version_are_read(path: Path, tmp_path: Path) -> None:
    """Every value stays, and what is written of it is read alike."""
    config = read_any_config(path)
    again = tmp_path / "config.yaml"
    again.write_text(to_yaml(config))
    assert read_any_config(again) == config
    old, new = (_flat(yaml.safe_load(text)) for text in (path.read_text(), again.read_text()))
    assert {key: new[key] for key in old.keys() & new.keys()} == {
        key: old[key] for key in old.keys() & new.keys()
    }
    assert len(old.keys() - new.keys()) <= 5  # keys that belong to the other network


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        part = _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
        found |= part
    return found
