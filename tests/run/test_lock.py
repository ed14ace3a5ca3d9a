"""Two trainings and one run folder."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from samantic.cli import main
from samantic.errors import InputError
from samantic.run.lock import LOCK, STALE, locked
from tests.processes import ended, start
from tests.run.test_killed import wait

WriteConfig = Callable[..., Path]


def write_lock(out: Path, **changes: Any) -> Path:
    out.mkdir(exist_ok=True)
    values = {"process": os.getpid(), "machine": socket.gethostname(), "start": "1"}
    (out / LOCK).write_text(json.dumps(values | changes))
    return out / LOCK


@pytest.mark.slow
def test_a_second_training_is_refused_and_a_dead_ones_lock_is_taken_over(
    mfnet: Path, write_config: WriteConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(write_config(mfnet, data={"test": None}, train={"steps": 5000, "validations": 1}))
    out = tmp_path / "run"
    process = start(["train", path, "--train.save-minutes", "0"], tmp_path / "log")
    wait((out / "last.ckpt").exists)
    for more in ([], ["--resume"]):
        assert main(["train", path, *more]) == 2
        error = capsys.readouterr().err
        assert f"{out}: process {process.pid} on {socket.gethostname()} is training there" in error
        assert len(error.splitlines()) == 1
    process.kill()
    process.join()
    assert (out / LOCK).exists()
    short = ["--train.steps", "1", "--resume", "--train.save-minutes", "0"]
    assert ended(start(["train", path, *short], tmp_path / "log")) == 0
    assert not (out / LOCK).exists()


def test_a_lock_ends_with_its_training(tmp_path: Path) -> None:
    out = tmp_path / "a" / "run"
    with locked(out):
        owner = json.loads((out / LOCK).read_text())
        assert owner["process"] == os.getpid()
        with pytest.raises(InputError, match=f"process {os.getpid()} on"), locked(out):
            pass
        assert (out / LOCK).exists()
    assert not out.exists(), "an empty folder that it has made"
    with locked(out):
        (out / "file").touch()
    assert [path.name for path in out.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "changes",
    [
        {"process": 4194999},  # beyond Linux's largest
        {"start": "of an earlier process of this number"},
        {"process": 10**30},
    ],
)
def test_a_stale_lock_is_taken_over(tmp_path: Path, changes: dict[str, Any]) -> None:
    write_lock(tmp_path / "run", **changes)
    with locked(tmp_path / "run"):
        pass


@pytest.mark.parametrize("content", ["", "half of {", "[]", '{"process": 3}'])
def test_a_torn_lock_is_taken_over(tmp_path: Path, content: str) -> None:
    (tmp_path / LOCK).write_text(content)
    with locked(tmp_path):
        assert json.loads((tmp_path / LOCK).read_text())["process"] == os.getpid()


def test_another_machine_shows_that_it_lives_by_the_locks_age(tmp_path: Path) -> None:
    path = write_lock(tmp_path / "run", machine="elsewhere")
    with pytest.raises(InputError, match=f"process {os.getpid()} on elsewhere is training"):
        locked(tmp_path / "run").__enter__()
    then = time.time() - STALE - 1
    os.utime(path, (then, then))
    with locked(tmp_path / "run"):
        pass


def test_other_processes_of_a_training_do_not_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightning.fabric.utilities.rank_zero import rank_zero_only

    with locked(tmp_path):
        monkeypatch.setattr(rank_zero_only, "rank", 1, raising=False)
        with locked(tmp_path):
            pass
        monkeypatch.setattr(rank_zero_only, "rank", 0)
        assert (tmp_path / LOCK).exists()
