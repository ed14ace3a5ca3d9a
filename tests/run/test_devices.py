"""Training in two real processes, which exchange their gradients on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from samantic.scenes.write import write_scenes
from tests.run.test_resuming import state

SCRIPT = '''
"""`samantic train`, whose processes write down what they draw."""
import json, os, signal, sys
import torch
from samantic.cli import main
from samantic.learn.task import (ScoredTask, SegmentationTask)

out, *words = sys.argv[1:]
step, end = SegmentationTask.training_step, ScoredTask.on_validation_epoch_end

def note(self, **what):
    with open(f"{out}.{self.global_rank}", "a") as file:
        file.write(json.dumps(what | {"step": self.global_step}) + "\\n")

stop = int(os.environ.get("STOP", "-1"))

def noted(self, batch, index):
    if self.global_step == stop - 1:
        os.kill(os.getpid(), signal.SIGTERM)
    note(self, names=batch.names, crop=batch.rgb.mean().item(), draw=torch.rand(2).tolist())
    return step(self, batch, index)

def counted(self):
    note(self, pixels=int(self.matrices["mask"].compute().sum()))
    end(self)

SegmentationTask.training_step, ScoredTask.on_validation_epoch_end = noted, counted
torch.set_num_threads(1)
sys.exit(main(words))
'''


def run(
    tmp_path: Path, config: Path, *more: str, devices: int = 2, stop: int = -1
) -> list[list[dict[str, Any]]]:
    """What each of several processes has drawn.

    Args:
        tmp_path: Folder for notes.
        config: Of the run.
        more: Words of the command.
        devices: Processes that train.
        stop: SIGTERM comes in this step.
    """
    script, out = tmp_path / "script.py", tmp_path / "drawn"
    script.write_text(SCRIPT)
    local = {"MASTER_ADDR": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, str(script), str(out), "train"]
    done = subprocess.run(
        [*command, str(config), "--train.devices", str(devices), *more],
        env=os.environ | local | {"STOP": str(stop)},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == (143 if stop > 0 else 0), done.stderr[-2000:]
    return [
        [json.loads(line) for line in Path(f"{out}.{rank}").read_text().splitlines()]
        for rank in range(devices)
    ]


@pytest.mark.slow
def test_two_processes_train_as_many_steps_as_were_asked(
    tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    """Each pair once an epoch, other random numbers in each process, validated once."""
    root = tmp_path / "data"
    write_scenes(root, "mfnet", {"train": range(6), "val": range(6, 9)}, seed=3, size=(48, 64))
    options = {"steps": None, "epochs": 4, "batch_size": 1, "validations": 2}
    config = write_config(root, data={"test": None}, train=options)
    shares = run(tmp_path, config)
    steps = [[line for line in share if "names" in line] for share in shares]
    assert [[line["step"] for line in share] for share in steps] == [list(range(12))] * 2
    for epoch in range(4):
        part = [line for share in steps for line in share[3 * epoch : 3 * epoch + 3]]
        assert len({name for line in part for name in line["names"]}) == 6
    for first, second in zip(*steps, strict=True):
        assert first["draw"] != second["draw"]
    assert len({line["crop"] for share in steps for line in share}) == 24
    pixels = [line["pixels"] for share in shares for line in share if "pixels" in line]
    assert pixels == [3 * 48 * 64] * 4
    content = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)
    assert content["global_step"] == 12


@pytest.mark.slow
def test_two_devices_train_as_one_that_takes_two_batches_a_step(
    tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    """From two processes to one and back, with SIGTERM between: the same training.

    It could not be if both devices drew the same random numbers.
    """
    root = tmp_path / "data"
    write_scenes(root, "mfnet", {"train": range(7), "val": range(7, 9)}, seed=3, size=(48, 64))
    twice = ("--train.accumulate", "2")

    def config(name: str) -> Path:
        train = {"steps": 6, "batch_size": 1, "validations": 2}
        return write_config(root, out=str(tmp_path / name), data={"test": None}, train=train)

    notes = run(tmp_path, config("straight"), *twice, devices=1)[0]
    assert [line["step"] for line in notes if "pixels" in line] == [3, 6]
    run(tmp_path, config("mixed"), stop=1)
    run(tmp_path, config("mixed"), *twice, "--resume", devices=1, stop=3)
    assert torch.load(tmp_path / "mixed" / "last.ckpt", weights_only=True)["global_step"] == 3
    run(tmp_path, config("mixed"), "--resume")
    straight, mixed = state(tmp_path / "straight"), state(tmp_path / "mixed")
    for name, tensor in straight.items():
        torch.testing.assert_close(mixed[name], tensor, rtol=0, atol=1e-4, msg=name)
