"""Runs whose student learns from a teacher's feature maps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from samantic.cli import main
from tests.run.test_resuming import state

WriteConfig = Callable[..., Path]


def test_a_run_learns_from_features(write_distill: WriteConfig, tmp_path: Path) -> None:
    """They change what is learnt; the projections are in the checkpoint, the teacher is not."""
    data = {"test": None}
    for weight in (0.0, 5.0):
        out = str(tmp_path / str(weight))
        path = write_distill(
            out=out, data=data, window=None, loss={"features": weight}, train={"steps": 2}
        )
        assert main(["distill", str(path)]) == 0
    with_it, without = state(tmp_path / "5.0"), state(tmp_path / "0.0")
    names = set(with_it) - set(without)
    assert names == {
        f"features.project.{i}.{part}" for i in range(3) for part in ("weight", "bias")
    }
    same = [torch.equal(tensor, with_it[name]) for name, tensor in without.items()]
    assert not all(same)


def test_features_of_a_teacher_that_learns_are_refused(
    write_distill: WriteConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_distill(window=None, teacher={"update": "joint"}, loss={"features": 1.0})
    assert main(["distill", str(path)]) == 2
    assert "loss.features belongs to" in capsys.readouterr().err
