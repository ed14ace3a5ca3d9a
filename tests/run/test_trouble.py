"""What the machine and the disk do to a training: a line with the cure, and nothing endless."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from samantic.cli import main
from samantic.config import TrainConfig
from samantic.data import workers
from samantic.data.loading import Drawn, Draws, Source, train_loader
from samantic.data.pairs import PairedFolder
from samantic.learn.task import SegmentationTask
from samantic.learn.trouble import explained
from tests.run.test_killed import lines

WriteConfig = Callable[..., Path]


@pytest.fixture
def copy(mfnet: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(mfnet, tmp_path / "data"))


def in_step(monkeypatch: pytest.MonkeyPatch, call: int, do: Callable[[], object]) -> list[Any]:
    """Do something at the beginning of a training step; return the pairs of all steps."""
    step, seen = SegmentationTask.training_step, list[Any]()

    def does(self: Any, batch: Any, index: int) -> torch.Tensor:
        seen.append(batch.names)
        if len(seen) == call:
            do()
        loss: torch.Tensor = step(self, batch, index)
        return loss

    monkeypatch.setattr(SegmentationTask, "training_step", does)
    return seen


def test_memory_that_runs_out_is_a_line_with_what_each_cure_saves(
    mfnet: Path,
    write_config: WriteConfig,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    in_step(monkeypatch, 3, lambda: torch.empty(2**50, dtype=torch.uint8))
    assert main(["train", str(write_config(mfnet))]) == 1
    (line,) = lines(capsys.readouterr().err)
    assert line.startswith("samantic: after step 2: out of memory; train.batch_size 1 with train.")
    assert "train.accumulate 2 takes steps of as many pairs, and halves" in line
    assert "train.checkpointing true" in line
    assert "augment.crop" in line


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), "out of memory"),
        (MemoryError(), "out of memory"),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "), "(Killed)"),
        (RuntimeError("DataLoader worker (pid(s) 7, 8) exited unexpectedly"), "data.workers"),
        (RuntimeError("DataLoader timed out after 300 seconds"), "no batch for 300 s"),
        (
            RuntimeError(
                "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that "
                "dataloader's workers are out of shared memory."
            ),
            "--shm-size",
        ),
        (
            RuntimeError("unable to write to file </torch_7_1_0>: No space left on device (28)"),
            "--shm-size",
        ),
        (RuntimeError("Too many open files. Communication with the workers"), "ulimit -n"),
    ],
)
def test_every_trouble_has_its_cure(error: Exception, words: str) -> None:
    line = explained(error, 3, TrainConfig(batch_size=1, checkpointing=True))
    assert line is not None
    assert line.startswith("after step 3: ")
    assert words in line
    assert "batch_size" not in line
    assert explained(RuntimeError("shapes do not fit"), 3, TrainConfig()) is None


def test_an_image_that_cannot_be_read_is_replaced_and_counted(
    copy: Path,
    write_config: WriteConfig,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = (copy / "train.txt").read_text().split()[0]
    image = copy / "images" / f"{name}.png"

    def truncate() -> None:
        image.write_bytes(image.read_bytes()[:200])

    seen = in_step(monkeypatch, 3, truncate)
    path = write_config(copy, data={"test": None}, train={"steps": 12})
    assert main(["train", str(path)]) == 0
    told = capsys.readouterr().err
    assert told.count(f"{image}: ") == 1
    assert "another pair takes its place" in told
    assert "1 images could not be read; other pairs took their place" in told
    assert all(len(names) == 2 for names in seen)
    assert not any(name in names for names in seen[4:])


def test_many_images_that_cannot_be_read_end_a_training(
    copy: Path,
    write_config: WriteConfig,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = (copy / "train.txt").read_text().split()

    def remove() -> None:
        for name in names[:3]:
            (copy / "images" / f"{name}.png").unlink()

    in_step(monkeypatch, 3, remove)
    path = write_config(copy, data={"test": None}, train={"steps": 20, "save_minutes": 0})
    assert main(["train", str(path)]) == 2
    (line,) = lines(capsys.readouterr().err)
    assert re.search(
        r"images/\d+_\d+[DN].png: no such image; 2 images cannot be read, and a training of 6 "
        r"pairs goes on without 1 at most",
        line,
    )
    assert (path.parent / "run" / "last.ckpt").exists()


def test_what_takes_the_place_does_not_depend_on_the_process(copy: Path) -> None:
    pairs = PairedFolder(copy, "mfnet", "train")
    image = pairs.files[2].rgb
    assert image is not None
    whole = [Drawn(pairs, 0)[3, index].sample.name for index in range(6)]
    image.unlink()
    read = [Drawn(pairs, 0)[3, index] for index in range(6)]
    assert [part.sample.name for part in read] == [*whole[:2], whole[3], *whole[3:]]
    assert [len(part.lost) for part in read] == [0, 0, 1, 0, 0, 0]
    for several in (0, 2):
        draws = Draws(6, 2, 0, steps=3)
        batches = list(train_loader(Source(pairs, several), draws))
        assert sum(len(batch.lost) for batch in batches) == 1


def test_a_killed_loading_process_is_a_line(
    mfnet: Path,
    write_config: WriteConfig,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def kill() -> None:
        for child in children():
            os.kill(child, signal.SIGKILL)

    in_step(monkeypatch, 2, kill)
    path = write_config(mfnet, data={"workers": 1}, train={"steps": 50})
    assert main(["train", str(path)]) == 1
    (line,) = lines(capsys.readouterr().err)
    assert "a loading process was killed" in line
    assert "lower data.workers; --resume goes on" in line


@pytest.mark.parametrize("kind", [ConnectionResetError, BrokenPipeError, EOFError])
def test_a_loading_process_that_leaves_while_it_hands_over_is_a_line(
    mfnet: Path,
    write_config: WriteConfig,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kind: type[Exception],
) -> None:
    """The pipe breaks before the loader sees that the process has gone."""
    from multiprocessing.connection import Connection

    def recv(*_: object) -> None:
        raise kind("the pipe broke")

    def hand_over() -> None:
        monkeypatch.setattr(Connection, "_recv", recv)

    in_step(monkeypatch, 2, hand_over)
    path = write_config(mfnet, data={"workers": 1}, train={"steps": 50})
    assert main(["train", str(path)]) == 1
    (line,) = lines(capsys.readouterr().err)
    assert "a loading process was killed (it left)" in line


def test_another_broken_connection_is_no_loading_process() -> None:
    assert explained(ConnectionResetError("of a service"), 3, TrainConfig()) is None


def children() -> list[int]:
    """The processes that read this process's data."""
    import multiprocessing

    return [child.pid for child in multiprocessing.active_children() if child.pid is not None]


def test_loading_that_hangs_is_a_line(
    mfnet: Path,
    write_config: WriteConfig,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(workers, "SECONDS", 2)
    monkeypatch.setattr("samantic.data.loading.fitting", lambda count, *_: count)
    monkeypatch.setattr(Drawn, "__getitem__", lambda self, draw: time.sleep(100))
    path = write_config(mfnet, data={"workers": 1})
    assert main(["train", str(path)]) == 1
    (line,) = lines(capsys.readouterr().err)
    assert "the loading processes gave no batch for 2 s" in line
    assert "--shm-size" in line


def test_little_shared_memory_takes_fewer_processes(
    mfnet: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = PairedFolder(mfnet, "mfnet", "train")

    def first() -> Any:
        return Drawn(pairs, 0)[0, 0]

    each = 2 * 3 * workers.size_of(first())
    assert each == 2 * 3 * 48 * 64 * (4 * 4 + 8)
    usage = shutil.disk_usage(workers.SHARED)._replace(free=2 * each + 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert workers.fitting(2, first, 2) == 2
    assert workers.fitting(0, first, 2) == 0
    assert capsys.readouterr().err == ""
    assert workers.fitting(8, first, 2) == 2
    told = capsys.readouterr().err
    assert told.startswith("data.workers: 2 in place of 8, which need 4 MB of /dev/shm, where 1 MB")
    assert "--shm-size 1g" in told


def with_shared_memory(size: str, command: str) -> list[str]:
    """A command that sees another /dev/shm, of a size such as 64k."""
    mount = f"mount -t tmpfs -o size={size} tmpfs /dev/shm"
    return ["unshare", "-rm", "sh", "-c", f"{mount} && {command}"]


def call(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.slow
def test_a_training_with_a_tiny_dev_shm_does_not_hang(
    mfnet: Path, write_config: WriteConfig
) -> None:
    """64 KB here; a container has 64 MB, and batches are a thousand times as large."""
    path = write_config(mfnet, data={"workers": 2, "test": None})
    if shutil.which("unshare") is None or call(with_shared_memory("64k", "true")).returncode:
        pytest.skip("no other /dev/shm can be made here")
    done = call(with_shared_memory("64k", f"{sys.executable} -m samantic train {path}"))
    assert done.returncode == 0, done.stderr[-2000:]
    assert "data.workers: 0 in place of 2" in done.stderr
