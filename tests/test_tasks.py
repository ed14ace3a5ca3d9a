"""The training step: what is added up, what is hidden, and at which rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from samantic.config import Config
from samantic.config_files import read_config
from samantic.data import PairedFolder
from samantic.data.loading import collate
from samantic.models import SARTM, load_sam2
from samantic.tasks import SegmentationTask, learning_rate_factor

WriteConfig = Callable[..., Path]


def test_loss_terms_and_weights(mfnet: Path, write_config: WriteConfig) -> None:
    config: Config = read_config(write_config(mfnet, loss={"auxiliary": 0.5}))
    network = SARTM(load_sam2("random-micro"), 9, adapt=config.adapt)
    task = SegmentationTask(network, config)
    logged: dict[str, float] = {}
    task.log_dict = lambda values: logged.update({k: float(v) for k, v in values.items()})  # type: ignore[assignment,method-assign]
    task.log = lambda name, value: logged.update({name: float(value)})  # type: ignore[assignment,method-assign]
    task.photometric = lambda batch: batch  # type: ignore[assignment]
    batch = collate([PairedFolder(mfnet, "mfnet", "train")[i] for i in range(2)])
    total = task.training_step(batch, 0)
    out = network(batch.rgb, batch.thermal)
    mask = task.cross_entropy(out.logits, batch.labels)
    assert out.auxiliary is not None
    auxiliary = task.cross_entropy(out.auxiliary, batch.labels)
    torch.testing.assert_close(total, mask + 0.5 * auxiliary)
    assert logged["train/auxiliary"] == pytest.approx(0.5 * auxiliary.item())


def test_the_cross_entropy_is_the_configured_one(mfnet: Path, write_config: WriteConfig) -> None:
    logits, labels = torch.randn(2, 9, 16, 16), torch.randint(9, (2, 16, 16))
    logits[1].scatter_(0, labels[1:], 9.0)  # an image of hard pixels, and one of easy ones
    losses = torch.nn.functional.cross_entropy(logits, labels, reduction="none").flatten(1)
    hard = losses[0] > -math.log(0.7)
    first, easy = losses[0][hard], losses[1].topk(256 // 16).values
    for options, expected in (
        ({"cross_entropy": "plain"}, losses.mean()),
        ({}, first.mean()),
        ({"ohem_count": "image"}, torch.cat([first, easy]).mean()),
    ):
        config = read_config(write_config(mfnet, loss=options))
        network = SARTM(load_sam2("random-micro"), 9, adapt=config.adapt)
        found = SegmentationTask(network, config).cross_entropy(logits, labels)
        torch.testing.assert_close(found, expected)


def test_single_modality_networks_know_no_modality_dropout(
    mfnet: Path, write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = read_config(write_config(mfnet, augment={"modality_dropout": 0.5}))
    batch = collate([PairedFolder(mfnet, "mfnet", "train")[i] for i in range(2)])
    for fusion, hides in (("rgb", False), ("paper", True)):
        network = SARTM(load_sam2("random-micro"), 9, fusion=fusion, adapt=config.adapt)  # type: ignore[arg-type]
        task = SegmentationTask(network, config)
        seen: list[torch.Tensor | None] = []
        monkeypatch.setattr(task, "log_dict", lambda values: None)
        monkeypatch.setattr(task, "log", lambda name, value: None)
        network.register_forward_pre_hook(lambda module, args, seen=seen: seen.append(args[2]))
        for _ in range(10):
            task.training_step(batch, 0)
        assert any(present is not None and not present.all() for present in seen) == hides


def test_learning_rate_schedule() -> None:
    factors = [learning_rate_factor(step, 100, 10) for step in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[10] == pytest.approx(0.9**0.9)
    assert factors[5] == pytest.approx(0.55 * 0.95**0.9)
    assert factors[100] == 0
    assert max(factors) == factors[10]
    assert learning_rate_factor(0, 10, 0) == 1.0
