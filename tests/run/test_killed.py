"""Trainings that are killed or ended at any moment: they go on as if they had not been."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from samantic.cli import main
from samantic.learn.history import read_history
from samantic.learn.resume import BEFORE, LAST
from samantic.learn.state import StateFiles
from samantic.learn.task import SegmentationTask
from samantic.predict.model_folder import load_model
from tests.processes import ended, start
from tests.run.test_resuming import assert_equal, state

WriteConfig = Callable[..., Path]


def lines(text: str) -> list[str]:
    """The lines of the command itself."""
    assert "Traceback" not in text
    return [line for line in text.splitlines() if line.startswith("samantic: ")]


@pytest.mark.slow
def test_a_run_that_is_killed_five_times_is_the_run_that_was_not(
    mfnet: Path, tmp_path: Path, write_config: WriteConfig
) -> None:
    """Also in the middle of a save, which leaves nothing behind."""

    def config(name: str) -> str:
        data = {"test": None}
        train = {"steps": 60, "validations": 4, "save_minutes": 0, "ema": 0.9}
        return str(write_config(mfnet, out=str(tmp_path / name), data=data, train=train))

    assert main(["train", config("straight")]) == 0
    words, out, log = ["train", config("killed")], tmp_path / "killed", tmp_path / "log"
    chance = np.random.default_rng(0)
    for kill in range(5):
        resume = ["--resume"] if (out / LAST).exists() or (out / BEFORE).exists() else []
        process = start([*words, *resume], log)
        before = step_of(out)
        wait(lambda before=before: step_of(out) > before)
        if kill % 2:
            wait(lambda: any(out.glob(".last.*.ckpt")))
        else:
            time.sleep(chance.random() / 4)
        assert process.exitcode is None, "the run was over before it was killed"
        process.kill()
        process.join()
    assert ended(start([*words, "--resume"], log)) == 0
    assert not lines(log.read_text())
    assert_equal(tmp_path / "straight", out)
    assert read_history(out) == read_history(tmp_path / "straight")
    models = [dict(load_model(tmp_path / n)[0].named_parameters()) for n in ("straight", "killed")]
    assert all(torch.equal(p, models[1][name]) for name, p in models[0].items())
    assert not [path for path in out.rglob(".*") if path.is_file()]


def step_of(out: Path) -> int:
    """When the state of a run was last kept, as a number that grows; 0 if never."""
    path = out / LAST
    return path.stat().st_mtime_ns if path.exists() else 0


def wait(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.0005)


def signalled(
    monkeypatch: pytest.MonkeyPatch, task: Any, method: str, call: int, number: signal.Signals
) -> None:
    """Send this process a signal at a call of a method, once."""
    function, calls = getattr(task, method), []

    def sends(self: Any, *args: Any) -> Any:
        calls.append(1)
        if len(calls) == call:
            os.kill(os.getpid(), number)
        return function(self, *args)

    monkeypatch.setattr(task, method, sends)


@pytest.mark.parametrize(
    ("method", "call", "step"),
    [("training_step", 3, 3), ("training_step", 4, 4), ("validation_step", 3, 4)],
)
def test_sigterm_saves_and_the_run_goes_on_as_if_it_had_not_come(
    mfnet: Path,
    tmp_path: Path,
    write_config: WriteConfig,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    method: str,
    call: int,
    step: int,
) -> None:
    """At a step, before a validation and within one, which is then done anew."""

    def config(name: str) -> str:
        train = {"steps": 6, "validations": 3, "ema": 0.5}
        return str(write_config(mfnet, out=str(tmp_path / name), data={"test": None}, train=train))

    assert main(["train", config("straight")]) == 0
    path, out = config("ended"), tmp_path / "ended"
    capsys.readouterr()
    with monkeypatch.context() as patch:
        signalled(patch, SegmentationTask, method, call, signal.SIGTERM)
        assert main(["train", path]) == 143
    (line,) = lines(capsys.readouterr().err)
    assert line == (
        f"samantic: terminated (SIGTERM) after step {step} of 6; {out / LAST} holds step {step}, "
        "from which --resume goes on"
    )
    assert torch.load(out / LAST, weights_only=True)["global_step"] == step
    assert main(["train", path, "--resume"]) == 0
    assert_equal(tmp_path / "straight", out)
    kept = [torch.load(tmp_path / n / LAST, weights_only=True) for n in ("straight", "ended")]
    assert len({content["callbacks"]["KeepRun"]["best"] for content in kept}) == 1

    def validated(name: str) -> list[Any]:
        return [row for row in read_history(tmp_path / name) if "val/miou" in row]

    assert [row["val/miou"] for row in validated("ended")] == [
        row["val/miou"] for row in validated("straight")
    ]


def test_sigterm_ends_an_evaluation_too(
    trained: Path,
    mfnet: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    from samantic.measure.counting import FrameCounter

    signalled(monkeypatch, FrameCounter, "__call__", 1, signal.SIGTERM)
    words = ["evaluate", str(trained), "--data", str(mfnet), "--layout", "mfnet"]
    assert main([*words, "--split", "test", "--out", str(tmp_path / "out")]) == 143
    assert lines(capsys.readouterr().err) == [
        "samantic: terminated (SIGTERM); written files are complete"
    ]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_ctrl_c_is_one_line(
    mfnet: Path,
    write_config: WriteConfig,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = signal.getsignal(signal.SIGINT)
    signalled(monkeypatch, SegmentationTask, "training_step", 2, signal.SIGINT)
    assert main(["train", str(write_config(mfnet))]) == 1
    assert lines(capsys.readouterr().err) == ["samantic: interrupted; written files are complete"]
    assert signal.getsignal(signal.SIGINT) == before


@pytest.mark.slow
def test_ctrl_c_with_loading_processes_is_one_line(
    mfnet: Path, tmp_path: Path, write_config: WriteConfig
) -> None:
    """A terminal sends it to all of them."""
    train = {"steps": 5000, "validations": 1, "save_minutes": 0}
    path = write_config(mfnet, data={"workers": 2, "test": None}, train=train)
    log = tmp_path / "log"
    process = start(["train", str(path)], log)
    wait(lambda: step_of(path.parent / "run") > 0)
    os.killpg(process.pid or 0, signal.SIGINT)
    assert ended(process) == 1
    assert lines(log.read_text()) == ["samantic: interrupted; written files are complete"]
    assert len(log.read_text().splitlines()) < 15


def test_the_state_is_kept_between_validations(
    mfnet: Path, write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[int] = []
    save = StateFiles.save_checkpoint

    def noted(self: Any, checkpoint: dict[str, Any], *args: Any) -> None:
        saved.append(checkpoint["global_step"])
        save(self, checkpoint, *args)

    monkeypatch.setattr(StateFiles, "save_checkpoint", lambda self, c, p, **_: noted(self, c, p))
    for minutes, expected in ((0, [1, 2, 3, 4]), (10, [2, 4])):
        saved.clear()
        out = f"{write_config(mfnet).parent}/{minutes}"
        train = {"save_minutes": minutes}
        assert main(["train", str(write_config(mfnet, out=out, train=train))]) == 0
        assert saved == expected
    assert torch.load(Path(out) / BEFORE, weights_only=True)["global_step"] == 2


def test_a_torn_state_gives_way_to_the_one_before(
    mfnet: Path, write_config: WriteConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def config(name: str) -> str:
        out = str(tmp_path / name)
        return str(write_config(mfnet, out=out, data={"test": None}, train={"steps": 6}))

    assert main(["train", config("straight")]) == 0
    out, path = tmp_path / "torn", config("torn")
    assert main(["train", path, "--train.steps", "6"]) == 0
    last = out / LAST
    last.write_bytes(last.read_bytes()[:-500])
    capsys.readouterr()
    assert main(["train", path, "--resume"]) == 0
    told = capsys.readouterr().err
    assert f"{last}: damaged, cannot be resumed from" in told
    assert f"{out / BEFORE}, the one before, is taken" in told
    assert_equal(tmp_path / "straight", out)
    last.unlink()  # killed between two renames
    assert main(["train", path, "--resume"]) == 0
    assert_equal(tmp_path / "straight", out)


def test_a_full_disk_ends_in_a_line_and_leaves_the_state_before(
    mfnet: Path,
    write_config: WriteConfig,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = write_config(mfnet, data={"test": None}, train={"save_minutes": 0})
    out = path.parent / "run"
    save = torch.save

    class Full:
        """A file on a disk with room for some kilobytes."""

        def __init__(self, file: Any) -> None:
            self.file = file

        def write(self, part: Any) -> int:
            if self.file.tell() > 50_000:
                raise OSError(28, "No space left on device")
            return int(self.file.write(part))

        def flush(self) -> None:
            self.file.flush()

    def full(content: Any, file: Any) -> None:
        save(content, Full(file) if content["global_step"] == 3 else file)

    monkeypatch.setattr(torch, "save", full)
    assert main(["train", str(path)]) == 1
    (line,) = lines(capsys.readouterr().err)
    assert line == f"samantic: {out / LAST}: No space left on device"
    assert torch.load(out / LAST, weights_only=True)["global_step"] == 2
    assert not list(out.glob(".last*"))
    monkeypatch.setattr(torch, "save", save)
    assert main(["train", str(path), "--resume"]) == 0
    assert torch.load(out / LAST, weights_only=True)["global_step"] == 4


def test_a_folder_that_may_not_be_written_to_ends_in_a_line(
    mfnet: Path,
    write_config: WriteConfig,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Root may write everywhere, so the refusal is made up."""
    path = write_config(mfnet)

    def refused(*args: Any) -> None:
        raise PermissionError(13, "Permission denied", "last.ckpt")

    monkeypatch.setattr(torch, "save", refused)
    assert main(["train", str(path)]) == 1
    assert lines(capsys.readouterr().err) == ["samantic: last.ckpt: Permission denied"]


def test_nothing_goes_through_the_temporary_folder(
    mfnet: Path, write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    path = write_config(mfnet, data={"test": None})
    assert main(["train", str(path)]) == 0
    assert state(path.parent / "run")


def test_leftovers_of_killed_runs_are_removed(
    mfnet: Path, write_config: WriteConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_config(mfnet, data={"test": None})
    out = path.parent / "run"
    (out / "model").mkdir(parents=True)
    for name in (".last.4194999.ckpt", "model/.model.4194999.safetensors"):
        (out / name).write_bytes(b"half")
    (out / "config.yaml").write_text("of a run that ended early")
    ours = out / f".notes.{os.getpid()}.txt"
    ours.write_text("of a living process")
    assert main(["train", str(path)]) == 0
    assert "a run started here and ended before its first save; it starts again" in (
        capsys.readouterr().err
    )
    assert [p for p in out.rglob(".*") if p.is_file()] == [ours]
