"""Memory that runs out while a model is used: one line with what needs less, as in a training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from samantic.cli import main
from samantic.measure import counting
from samantic.predict.classifier import Classifier


def runs_out(*_: Any, **__: Any) -> None:
    torch.empty(2**50, dtype=torch.uint8)


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Classifier, "classify", runs_out)
    monkeypatch.setattr(counting.FrameCounter, "__call__", runs_out)


@pytest.mark.usefixtures("little")
def test_evaluate(mfnet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data", str(mfnet), "--layout", "mfnet", "--split", "test"]
    assert main(["evaluate", "nano", *words, "--out", str(tmp_path / "out")]) == 1
    line = capsys.readouterr().err
    assert line.startswith("samantic: out of memory; give a smaller --size")
    assert line.count("\n") == 1


@pytest.mark.usefixtures("little")
def test_predict(mfnet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--rgbt", str(mfnet / "images"), "--out", str(tmp_path / "out")]
    assert main(["predict", "nano", *words]) == 1
    line = capsys.readouterr().err
    assert line.startswith("samantic: out of memory; give a smaller --tile or --size")
    assert line.count("\n") == 1


def test_the_test_after_a_training(
    mfnet: Path,
    write_config: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(counting.FrameCounter, "__call__", runs_out)
    path = write_config(mfnet)
    assert main(["train", str(path)]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(
        "samantic: out of memory; the trained model is kept: `samantic evaluate`"
    )
    assert (path.parent / "run" / "model" / "model.safetensors").exists()


@pytest.mark.usefixtures("little")
def test_other_errors_are_not_taken_for_it(
    monkeypatch: pytest.MonkeyPatch, mfnet: Path, tmp_path: Path
) -> None:
    def wrong(*_: Any, **__: Any) -> None:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(Classifier, "classify", wrong)
    words = ["--rgbt", str(mfnet / "images"), "--out", str(tmp_path / "out")]
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        main(["predict", "nano", *words])
