"""`samantic train CONFIG --dry-run`: what a run needs, and nothing that is kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from samantic.cli import main
from samantic.config import TrainConfig
from samantic.learn.task import SegmentationTask
from samantic.run import dry
from samantic.run.dry import Measured, Need, changes

WriteConfig = Callable[..., Path]


def test_a_dry_run_measures_and_keeps_nothing(
    mfnet: Path, write_config: WriteConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    train = {"steps": None, "epochs": 100, "batch_size": 2, "accumulate": 2, "devices": 1}
    path = write_config(mfnet, train=train)
    before = sorted(path.parent.iterdir())
    assert main(["train", str(path), "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "0.344 M parameters" in told
    assert (found := re.search(r"memory: ([\d.]+) GB at the peak of a step, of ([\d.]+)", told))
    assert 0.1 < float(found[1]) < float(found[2])
    assert re.search(
        r"step: [\d.e-]+ s for 4 pairs, [\d.e+]+ pairs/s; loading gives [\d.e+]+", told
    )
    assert "to the end: 150 steps, " in told
    assert sorted(path.parent.iterdir()) == before


def test_the_length_of_a_run_that_names_none(
    mfnet: Path, write_config: WriteConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    """Few pairs are seen more often; a line says how often, in a run and before it."""
    path = write_config(mfnet, train={"steps": None, "epochs": None, "batch_size": 2, "devices": 1})
    assert main(["train", str(path), "--dry-run"]) == 0
    told = capsys.readouterr()
    assert "to the end: 1000 steps, " in told.out
    line = "neither train.steps nor train.epochs is given: 1,000 steps of 2 pairs, which are 333"
    assert f"{line} epochs of 6 pairs" in told.err


def test_a_dry_run_of_a_single_step_and_of_a_run_that_is_there(
    mfnet: Path, write_config: WriteConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_config(mfnet, train={"steps": 1, "validations": 1})
    (path.parent / "run").mkdir()
    (path.parent / "run" / "last.ckpt").write_bytes(b"of another run")
    assert main(["train", str(path), "--dry-run"]) == 0
    assert "to the end: 1 steps" in capsys.readouterr().out
    assert main(["train", str(path), "--dry-run", "--data.root", "nowhere"]) == 2
    assert "nowhere: no such folder" in capsys.readouterr().err


def test_a_run_that_does_not_fit_is_told_from_one_pair(
    mfnet: Path,
    write_config: WriteConfig,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A system without memory ends programs without a word, so the step is not tried."""
    seen: list[int] = []
    step = SegmentationTask.training_step

    def watched(self: Any, batch: Any, index: int) -> Any:
        seen.append(len(batch.names))
        return step(self, batch, index)

    monkeypatch.setattr(SegmentationTask, "training_step", watched)
    monkeypatch.setattr(dry, "_total", lambda _: 10**8)
    path = write_config(mfnet, train={"batch_size": 6, "devices": 1})
    assert main(["train", str(path), "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert seen == [1]
    assert "of 0.1 GB; this does not fit: estimated from one step with one pair" in told
    assert "change: train.batch_size 3 and train.accumulate 2" in told
    assert re.search(r"estimate: [\d.]+ GB, and [\d.]+ GB for each pair", told)


def test_what_memory_grows_with() -> None:
    need = Need.of(1000, 5000, trained=100)
    assert need == (2200, 2800)
    assert [need.at(batch) for batch in (1, 2)] == [5000, 7800]
    assert Need.of(1000, 2000, trained=100) == (2000, 0), "never less than was measured"


MEASURED = Measured(9000, 2.0, 10 * 2**30, 80 * 2**30, 8, 40.0, 4, "a GPU")


def test_hours_are_those_of_what_is_slower() -> None:
    assert MEASURED.hours == 5
    assert MEASURED._replace(loaded=2.0).hours == 10


def test_what_to_change_depends_on_what_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    assert changes(MEASURED, TrainConfig()) == []
    full = changes(MEASURED._replace(peak=75 * 2**30), TrainConfig(batch_size=8))
    assert full[0].startswith("train.batch_size 4 and train.accumulate 2: the same pairs in a step")
    assert full[1].startswith("train.checkpointing true")
    assert len(changes(MEASURED._replace(peak=75 * 2**30), TrainConfig(batch_size=1))) == 1
    (slow,) = changes(MEASURED._replace(loaded=1.0), TrainConfig())
    assert slow == "data.workers 16: loading is slower than the step"
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    (slow,) = changes(MEASURED._replace(loaded=1.0), TrainConfig())
    assert slow.startswith("smaller images on the disk, or more cores")
    (large,) = changes(MEASURED, TrainConfig(accumulate=2))
    assert large.startswith("train.accumulate 1 and a larger train.batch_size")
